-- Recording uses and claiming work find their rows by what names them, whatever the planner thinks of a table's size.
create or replace function record_accesses(
    tenants uuid[], people text[], memory_ids uuid[], kinds text[], times timestamptz[], contexts text[]
) returns table (organisation_id uuid, user_id text, activity bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    -- In one order: two batches about the same users would otherwise each wait for the other.
    perform from users u
    where (u.organisation_id, u.user_id) in (select distinct * from unnest(tenants, people))
    order by u.organisation_id, u.user_id
    for no key update;
    return query
    with event as (
        select u.organisation_id, u.user_id, e.memory_id, e.kind, e.at, e.context,
            u.activity + row_number() over (partition by u.organisation_id, u.user_id order by e.place) as activity
        from unnest(tenants, people, memory_ids, kinds, times, contexts)
            with ordinality as e (organisation_id, user_id, memory_id, kind, at, context, place)
        join users u on u.organisation_id = e.organisation_id and u.user_id = e.user_id
        -- A scalar subquery, not a join: a join may be planned as reading all the user's memories once a use.
        where (select true from memories m
            where m.organisation_id = e.organisation_id and m.user_id = e.user_id and m.id = e.memory_id)
    ),
    logged as (
        insert into accesses (organisation_id, user_id, activity, memory_id, kind, at, context)
        select organisation_id, user_id, activity, memory_id, kind, at, context from event
    ),
    counted as (
        select organisation_id, user_id, memory_id, context, count(*) as times, max(at) as last_accessed
        from event
        where kind in ('get', 'recall')
        group by organisation_id, user_id, memory_id, context
    ),
    used as (
        insert into memory_usage as g (organisation_id, user_id, memory_id, usage_count, last_accessed, contexts)
        select organisation_id, user_id, memory_id, sum(times), max(last_accessed), merge_contexts(
            '{}', coalesce(jsonb_object_agg(context, times) filter (where context is not null), '{}'))
        from counted
        group by organisation_id, user_id, memory_id
        on conflict (organisation_id, user_id, memory_id) do update
            set usage_count = g.usage_count + excluded.usage_count,
                last_accessed = greatest(g.last_accessed, excluded.last_accessed),
                contexts = case when excluded.contexts = '{}' then g.contexts
                    else merge_contexts(g.contexts, excluded.contexts) end
    ),
    advanced as (
        update users u set activity = newest.activity
        from (
            select organisation_id, user_id, max(activity) as activity from event group by organisation_id, user_id
        ) newest
        where u.organisation_id = newest.organisation_id and u.user_id = newest.user_id
        returning u.organisation_id, u.user_id, u.activity
    )
    select asked.organisation_id, asked.user_id, coalesce(a.activity, u.activity, 0)
    from (select distinct * from unnest(tenants, people)) asked (organisation_id, user_id)
    left join users u on u.organisation_id = asked.organisation_id and u.user_id = asked.user_id
    left join advanced a on a.organisation_id = asked.organisation_id and a.user_id = asked.user_id;
end $$;

create or replace function claim_work(wanted text, maximum integer, lease interval)
returns table (organisation_id uuid, user_id text, memory_ids uuid[])
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
        returning w.organisation_id, w.user_id, w.memory_id
    )
    select organisation_id, user_id, array_agg(memory_id order by memory_id) from leased group by 1, 2 order by 1, 2
$$;
