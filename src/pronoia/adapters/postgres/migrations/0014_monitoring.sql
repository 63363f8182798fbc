-- What the processes of an instance know together about how well they serve. None of it is about a tenant: no row names
-- one, every statement may read it, and no key begins with an organisation.

-- A minute that a process ran in, all processes added up. latencies and foresight are counts by bucket of duration.
create table service_levels (
    minute timestamptz primary key,
    requests bigint not null,
    failed bigint not null,
    shed bigint not null,
    seconds double precision not null,
    cache_asked bigint not null,
    cache_found bigint not null,
    patterns bigint not null,
    latencies integer[] not null,
    foresight integer[] not null
) with (fillfactor = 70);

-- What each running process measured last.
create table process_reports (
    process uuid primary key,
    reported_at timestamptz not null,
    gauges jsonb not null
) with (fillfactor = 50);

-- Who acts for all processes, and until when it need not ask again.
create table instance_leases (
    name text primary key,
    holder uuid not null,
    leased_until timestamptz not null
) with (fillfactor = 50);

create table alerts (
    id uuid primary key,
    name text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    message text not null,
    labels jsonb not null,
    started_at timestamptz not null,
    resolved_at timestamptz,
    told text[] not null
) with (fillfactor = 70);

do $$
declare
    name text;
begin
    foreach name in array array['service_levels', 'process_reports', 'instance_leases', 'alerts'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy instance on %I to pronoia_app using (true) with check (true)', name);
        execute format('create policy owner on %I to current_user using (true) with check (true)', name);
        execute format('revoke all on %I from public', name);
        execute format('grant select, insert, update, delete on %I to pronoia_app', name);
    end loop;
end $$;

-- Adds two lists place by place.
create function added(one integer[], other integer[]) returns integer[]
language sql immutable parallel safe
return (
    select array_agg(coalesce(a, 0) + coalesce(b, 0) order by place)
    from unnest(one, other) with ordinality as pairs (a, b, place)
);

-- Counts the rows of metrics that learning wrote for some days, of all tenants.
create function count_metric_rows(first_day date) returns bigint
language sql stable security definer set search_path = public, pg_temp as $$
    select (select count(*) from learning_metrics where day >= first_day)
        + (select count(*) from daily_outcomes where day >= first_day)
$$;
revoke all on function count_metric_rows from public;
grant execute on function count_metric_rows to pronoia_app;
