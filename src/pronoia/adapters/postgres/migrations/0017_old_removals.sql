-- What was deleted is told to other processes for a while only: then not even its id is left.
create index removals_at on removals (at);

-- Forgets removals that are older. Whoever has not heard of them by then reads everything, because their users are told
-- completely only from there on. A user who is being written is left for the next time: never waited for, and so never
-- in a deadlock.
create function purge_removals(age interval, maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp as $$
    with expired as materialized (
        select organisation_id, user_id, version, kind, id from removals
        where at < now() - age
        order by at
        limit maximum
    ),
    locked as materialized (
        select u.organisation_id, u.user_id from users u
        where (u.organisation_id, u.user_id) in (select organisation_id, user_id from expired)
        for no key update skip locked
    ),
    advanced as (
        update users u set complete_from = greatest(u.complete_from, e.version)
        from (select organisation_id, user_id, max(version) as version from expired group by 1, 2) e
        join locked l on l.organisation_id = e.organisation_id and l.user_id = e.user_id
        where u.organisation_id = e.organisation_id and u.user_id = e.user_id
    ),
    purged as (
        delete from removals r
        using expired e
        join locked l on l.organisation_id = e.organisation_id and l.user_id = e.user_id
        where r.organisation_id = e.organisation_id and r.user_id = e.user_id and r.version = e.version
            and r.kind = e.kind and r.id = e.id
        returning 1
    )
    select count(*) from purged
$$;

revoke execute on function purge_removals from public;
grant execute on function purge_removals to pronoia_app;
