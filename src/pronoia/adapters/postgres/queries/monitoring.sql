-- add_levels: Add to the levels of some minutes.
insert into service_levels as kept
select * from jsonb_to_recordset($1::jsonb) as new (
    minute timestamptz, requests bigint, failed bigint, shed bigint, seconds double precision, cache_asked bigint,
    cache_found bigint, patterns bigint, latencies integer[], foresight integer[]
)
order by minute
on conflict (minute) do update set
    requests = kept.requests + excluded.requests,
    failed = kept.failed + excluded.failed,
    shed = kept.shed + excluded.shed,
    seconds = kept.seconds + excluded.seconds,
    cache_asked = kept.cache_asked + excluded.cache_asked,
    cache_found = kept.cache_found + excluded.cache_found,
    patterns = kept.patterns + excluded.patterns,
    latencies = added(kept.latencies, excluded.latencies),
    foresight = added(kept.foresight, excluded.foresight);

-- read_levels: Add up the minutes that began after each of some times, in their order; whole hours where there are any.
with asked as (
    select place, since, date_trunc('hour', since, 'UTC') + interval '1 hour' as first_hour
    from unnest($1::timestamptz[]) with ordinality as given (since, place)
),
by_hour as (
    select coalesce(max(hour) + interval '1 hour', '-infinity') as up_to from hourly_levels
),
parts as (
    select a.place, l.minute, 1 as minutes, (l.requests > 0 and l.failed >= l.requests)::integer as dead_minutes,
        l.requests, l.failed, l.shed, l.seconds, l.cache_asked, l.cache_found, l.patterns,
        l.latencies::bigint[] as latencies, l.foresight::bigint[] as foresight
    from asked a
    cross join by_hour h
    join service_levels l on l.minute > a.since and (l.minute < a.first_hour or l.minute >= h.up_to)
    union all
    select a.place, l.first, l.minutes, l.dead_minutes, l.requests, l.failed, l.shed, l.seconds, l.cache_asked,
        l.cache_found, l.patterns, l.latencies, l.foresight
    from asked a
    join hourly_levels l on l.hour >= a.first_hour
),
buckets as (
    select place, array_agg(served order by bucket) as latencies, array_agg(foreseen order by bucket) as foresight
    from (
        select place, bucket, sum(served)::bigint as served, sum(foreseen)::bigint as foreseen
        from parts, unnest(latencies, foresight) with ordinality as counted (served, foreseen, bucket)
        group by place, bucket
    ) added_up
    group by place
),
sums as (
    select
        place,
        sum(requests)::bigint as requests,
        sum(failed)::bigint as failed,
        sum(shed)::bigint as shed,
        sum(seconds) as seconds,
        sum(cache_asked)::bigint as cache_asked,
        sum(cache_found)::bigint as cache_found,
        sum(patterns)::bigint as patterns,
        sum(minutes)::bigint as minutes,
        sum(dead_minutes)::bigint as dead_minutes,
        min(minute) as first
    from parts
    group by place
)
select
    coalesce(requests, 0) as requests, coalesce(failed, 0) as failed, coalesce(shed, 0) as shed,
    coalesce(seconds, 0) as seconds, coalesce(cache_asked, 0) as cache_asked, coalesce(cache_found, 0) as cache_found,
    coalesce(patterns, 0) as patterns, coalesce(minutes, 0) as minutes, coalesce(dead_minutes, 0) as dead_minutes,
    first, latencies, foresight
from asked
left join sums using (place)
left join buckets using (place)
order by place;

-- report_process: Replace what a process reported.
insert into process_reports (process, reported_at, gauges) values ($1, now(), $2::jsonb)
on conflict (process) do update set reported_at = excluded.reported_at, gauges = excluded.gauges;

-- read_reports: What the processes reported within some seconds.
select gauges from process_reports where reported_at >= now() - make_interval(secs => $1);

-- take_lease: Become or stay the holder, unless another process holds the lease.
insert into instance_leases as l (name, holder, leased_until) values ($1, $2, now() + make_interval(secs => $3))
on conflict (name) do update set holder = excluded.holder, leased_until = excluded.leased_until
where l.holder = excluded.holder or l.leased_until < now()
returning true;

-- save_alerts: Keep alerts as they are now.
insert into alerts
select id, name, severity, message, labels, started_at, resolved_at, told
from jsonb_to_recordset($1::jsonb) as new (
    id uuid, name text, severity text, message text, labels jsonb, started_at timestamptz, resolved_at timestamptz,
    told text[]
)
on conflict (id) do update set resolved_at = excluded.resolved_at, told = excluded.told;

-- read_alerts: The newest alerts, of one severity if one is given.
select * from alerts where $2::text is null or severity = $2 order by started_at desc, id desc limit $1;

-- count_metric_rows: Rows of metrics that learning wrote for the days since one.
select count_metric_rows($1);

-- find_tables: Which of some tables there are.
select name, to_regclass(quote_ident(name)) is not null as found from unnest($1::text[]) as name;

-- forget_levels: Drop older minutes.
delete from service_levels where minute < $1;

-- forget_reports: Drop what ended processes reported.
delete from process_reports where reported_at < now() - interval '1 hour';

-- forget_alerts: Drop what ended before a time, and all but the newest.
delete from alerts where resolved_at < $1
or id in (select id from alerts order by resolved_at is not null, started_at desc, id desc offset $2);
