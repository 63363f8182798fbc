-- Until when each piece of claimed work is the claimant's; who comes to finish it names that time, and is too late if
-- somebody else has claimed it since.
drop function claim_work(text, integer, interval);
create function claim_work(wanted text, maximum integer, lease interval)
returns table (organisation_id uuid, user_id text, memory_ids uuid[], leases timestamptz[])
language sql volatile security definer set search_path = public, pg_temp as $$
    with chosen as (
        select w.organisation_id, w.user_id, w.memory_id
        from work w
        where w.kind = wanted and w.available_at <= now()
        order by w.available_at
        limit maximum
        for update skip locked
    ),
    leased as (
        update work w
        set available_at = now() + lease * power(2, least(w.attempts, 6)), attempts = w.attempts + 1
        from chosen c
        where w.organisation_id = c.organisation_id and w.user_id = c.user_id and w.memory_id = c.memory_id
            and w.kind = wanted
        returning w.organisation_id, w.user_id, w.memory_id, w.available_at
    )
    select organisation_id, user_id, array_agg(memory_id order by memory_id), array_agg(distinct available_at)
    from leased group by 1, 2 order by 1, 2
$$;
revoke all on function claim_work from public;
grant execute on function claim_work to pronoia_app;
