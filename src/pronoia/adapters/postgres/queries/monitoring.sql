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

-- read_levels: Add up the minutes that began after each of some times, in their order.
with sums as (
    select
        place,
        since,
        coalesce(sum(requests), 0)::bigint as requests,
        coalesce(sum(failed), 0)::bigint as failed,
        coalesce(sum(shed), 0)::bigint as shed,
        coalesce(sum(seconds), 0) as seconds,
        coalesce(sum(cache_asked), 0)::bigint as cache_asked,
        coalesce(sum(cache_found), 0)::bigint as cache_found,
        coalesce(sum(patterns), 0)::bigint as patterns,
        count(minute) as minutes,
        count(*) filter (where requests > 0 and failed >= requests) as dead_minutes,
        min(minute) as first
    from unnest($1::timestamptz[]) with ordinality as asked (since, place)
    left join service_levels on minute > since
    group by since, place
)
select sums.*, buckets.latencies, buckets.foresight
from sums
cross join lateral (
    select array_agg(served order by bucket) as latencies, array_agg(foreseen order by bucket) as foresight
    from (
        select bucket, sum(served) as served, sum(foreseen) as foreseen
        from service_levels, unnest(latencies, foresight) with ordinality as counted (served, foreseen, bucket)
        where minute > sums.since
        group by bucket
    ) as added_up
) as buckets
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
