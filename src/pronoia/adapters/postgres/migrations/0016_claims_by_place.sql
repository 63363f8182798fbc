-- The version with leases had lost what 0010 brought.
create or replace function claim_work(wanted text, maximum integer, lease interval)
returns table (organisation_id uuid, user_id text, memory_ids uuid[], leases timestamptz[])
language sql volatile security definer set search_path = public, pg_temp as $$
    -- By their places in the table, not a join: one may be planned as reading all the work there is once a piece.
    with leased as (
        update work w
        set available_at = now() + lease * power(2, least(w.attempts, 6)), attempts = w.attempts + 1
        where w.ctid = any(array(
            select c.ctid
            from work c
            where c.kind = wanted and c.available_at <= now()
            order by c.available_at
            limit maximum
            for update skip locked
        ))
        returning w.organisation_id, w.user_id, w.memory_id, w.available_at
    )
    select organisation_id, user_id, array_agg(memory_id order by memory_id), array_agg(distinct available_at)
    from leased group by 1, 2 order by 1, 2
$$;
