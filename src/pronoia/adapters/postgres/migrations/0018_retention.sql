-- The lowest activity from which uses can be told one by one: older ones may have been forgotten.
alter table users add column uses_complete_from bigint not null default 0;

-- Daily sums are counted and forgotten by their day, of all tenants together.
create index daily_outcomes_day on daily_outcomes (day);
create index learning_metrics_day on learning_metrics (day);

-- Forgets the oldest uses and removals of up to `people` users after one, and at most some `maximum` rows. Gives the user
-- to go on after, null if there is none. Users are looked at one by one, because no index over all of them leads to what
-- is old: each use would pay for it. A user who is being written is left for the next time.
create function purge_history(
    after_organisation uuid, after_person text, people integer, maximum integer, uses_before timestamptz,
    removals_before timestamptz
) returns table (organisation_id uuid, user_id text, purged bigint)
language plpgsql volatile security definer
set search_path = public, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    one record;
    last_use bigint;
    last_removal bigint;
    gone bigint;
begin
    organisation_id := after_organisation;
    user_id := after_person;
    purged := 0;
    for one in
        select u.organisation_id, u.user_id from users u
        where (u.organisation_id, u.user_id) > (after_organisation, after_person)
        order by u.organisation_id, u.user_id
        limit people
    loop
        select max(old.activity) into last_use
        from (
            select a.activity, a.at from accesses a
            where a.organisation_id = one.organisation_id and a.user_id = one.user_id
            order by a.activity
            limit maximum - purged
        ) old
        where old.at < uses_before;
        select max(old.version) into last_removal
        from (
            select r.version, r.at from removals r
            where r.organisation_id = one.organisation_id and r.user_id = one.user_id
            order by r.version
            limit maximum - purged
        ) old
        where old.at < removals_before;
        if last_use is not null or last_removal is not null then
            update users u
            set uses_complete_from = greatest(u.uses_complete_from, last_use),
                complete_from = greatest(u.complete_from, last_removal)
            where u.ctid = (
                select l.ctid from users l
                where l.organisation_id = one.organisation_id and l.user_id = one.user_id
                for no key update skip locked
            );
            if found then
                delete from accesses a
                where a.organisation_id = one.organisation_id and a.user_id = one.user_id and a.activity <= last_use;
                get diagnostics gone = row_count;
                purged := purged + gone;
                delete from removals r
                where r.organisation_id = one.organisation_id and r.user_id = one.user_id and r.version <= last_removal;
                get diagnostics gone = row_count;
                purged := purged + gone;
            end if;
        end if;
        if purged >= maximum then -- there may be more of this user
            return next;
            return;
        end if;
        organisation_id := one.organisation_id;
        user_id := one.user_id;
    end loop;
    if not found then
        organisation_id := null;
        user_id := null;
    end if;
    return next;
end $$;

-- Forgets outcomes that nobody may ask for any more. By their places: a join may be planned as reading all outcomes.
create or replace function purge_idempotency_keys(age interval, maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    with purged as (
        delete from idempotency_keys
        where ctid = any (array(
            select ctid from idempotency_keys
            where created_at < now() - age
            order by created_at
            limit maximum
            for update skip locked
        ))
        returning 1
    )
    select count(*) from purged
$$;

-- Forgets up to `maximum` daily sums and as many metrics from before a day, and says how many.
create function purge_metrics(before date, maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    with sums as (
        delete from daily_outcomes
        where ctid = any (array(select ctid from daily_outcomes where day < before limit maximum for update skip locked))
        returning 1
    ),
    metrics as (
        delete from learning_metrics
        where ctid = any (array(select ctid from learning_metrics where day < before limit maximum for update skip locked))
        returning 1
    )
    select (select count(*) from sums) + (select count(*) from metrics)
$$;

-- Service levels by the hour, but of the last day, in which a process may still add to minutes that it could not write.
-- Row-level security does not hold for it: it may never have anything of a tenant in it.
create materialized view hourly_levels as
with minutes as (
    select date_trunc('hour', minute, 'UTC') as hour, l.* from service_levels l
    where minute < date_trunc('hour', now() - interval '25 hours', 'UTC')
),
buckets as (
    select hour, array_agg(served order by bucket) as latencies, array_agg(foreseen order by bucket) as foresight
    from (
        select hour, bucket, sum(served)::bigint as served, sum(foreseen)::bigint as foreseen
        from minutes, unnest(latencies, foresight) with ordinality as counted (served, foreseen, bucket)
        group by hour, bucket
    ) added_up
    group by hour
),
sums as (
    select
        hour, sum(requests)::bigint as requests, sum(failed)::bigint as failed, sum(shed)::bigint as shed,
        sum(seconds) as seconds, sum(cache_asked)::bigint as cache_asked, sum(cache_found)::bigint as cache_found,
        sum(patterns)::bigint as patterns, count(*) as minutes,
        count(*) filter (where requests > 0 and failed >= requests) as dead_minutes, min(minute) as first
    from minutes
    group by hour
)
select sums.*, buckets.latencies, buckets.foresight from sums join buckets using (hour);
create unique index hourly_levels_hour on hourly_levels (hour);
revoke all on hourly_levels from public;
grant select on hourly_levels to pronoia_app;

-- Computes it anew, beside those who read it.
create function refresh_hourly_levels() returns void
language plpgsql volatile security definer set search_path = public, pg_temp as $$
begin
    refresh materialized view concurrently hourly_levels;
end $$;

revoke execute on function purge_history, purge_metrics, refresh_hourly_levels from public;
grant execute on function purge_history, purge_metrics, refresh_hourly_levels to pronoia_app;
