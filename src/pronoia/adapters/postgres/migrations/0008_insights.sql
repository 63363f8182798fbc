-- What is known about how well memory serves, in daily sums: no memory is named, and no use is kept twice.

-- Answers of a day that proved right or wrong. bin is the tenth of the confidence a prediction had, else 0.
create table daily_outcomes (
    organisation_id uuid not null,
    user_id text not null,
    day date not null,
    kind text not null check (kind in ('search', 'prediction', 'suggestion', 'withheld', 'silent')),
    bin smallint not null check (bin between 0 and 9),
    trials bigint not null,
    hits bigint not null,
    confidence double precision not null,
    primary key (organisation_id, user_id, day, kind, bin),
    foreign key (organisation_id, user_id) references users
) with (fillfactor = 70);

create table learning_metrics (
    organisation_id uuid not null,
    user_id text not null,
    metric text not null check (metric in ('avg_helpfulness', 'relationship_quality')),
    day date not null,
    value double precision not null,
    primary key (organisation_id, user_id, metric, day),
    foreign key (organisation_id, user_id) references users
);

create table learning_runs (
    organisation_id uuid not null,
    user_id text not null,
    job text not null,
    activity bigint not null,
    last_run timestamptz not null,
    runs bigint not null,
    relationships_created bigint not null,
    primary key (organisation_id, user_id, job),
    foreign key (organisation_id, user_id) references users
);

-- Who does a job of an organisation next, and when. A lease that runs out belongs to a process that died.
create table schedule (
    organisation_id uuid not null references organisations,
    job text not null,
    last_run timestamptz,
    next_run timestamptz not null,
    leased_until timestamptz,
    holder uuid,
    primary key (organisation_id, job)
);

do $$
declare
    name text;
begin
    foreach name in array array['daily_outcomes', 'learning_metrics', 'learning_runs', 'schedule'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant on %I to pronoia_app '
            'using (organisation_id = current_tenant()) with check (organisation_id = current_tenant())', name);
        execute format('create policy owner on %I to current_user using (true) with check (true)', name);
        execute format('revoke all on %I from public', name);
        execute format('grant select, insert, update, delete on %I to pronoia_app', name);
    end loop;
end $$;

-- Adds to the daily sums of many users of many tenants. Users who are unknown or were forgotten are left out.
create function record_outcomes(
    tenants uuid[], people text[], days date[], kinds text[], bins smallint[], trial_counts bigint[],
    hit_counts bigint[], confidences double precision[]
) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    insert into daily_outcomes as d (organisation_id, user_id, day, kind, bin, trials, hits, confidence)
    select o.organisation_id, o.user_id, o.day, o.kind, o.bin, o.trials, o.hits, o.confidence
    from unnest(tenants, people, days, kinds, bins, trial_counts, hit_counts, confidences)
        as o (organisation_id, user_id, day, kind, bin, trials, hits, confidence)
    join users u on u.organisation_id = o.organisation_id and u.user_id = o.user_id
    order by 1, 2, 3, 4, 5
    on conflict (organisation_id, user_id, day, kind, bin) do update
        set trials = d.trials + excluded.trials, hits = d.hits + excluded.hits,
            confidence = d.confidence + excluded.confidence
$$;

-- Gives one organisation whose job is due to one process, for the time of the lease. The clock is the database's unless
-- another time is given.
create function claim_job(wanted text, process uuid, lease interval, moment timestamptz)
returns table (organisation_id uuid)
language plpgsql volatile security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    insert into schedule (organisation_id, job, next_run)
    select o.organisation_id, wanted, moment from organisations o
    where not exists (select from schedule s where s.organisation_id = o.organisation_id and s.job = wanted)
    on conflict do nothing;
    return query
    with chosen as (
        select s.organisation_id from schedule s
        where s.job = wanted and s.next_run <= moment and (s.leased_until is null or s.leased_until <= moment)
        order by s.next_run
        limit 1
        for update skip locked
    )
    update schedule s set leased_until = moment + lease, holder = process
    from chosen c where s.organisation_id = c.organisation_id and s.job = wanted
    returning s.organisation_id;
end $$;

revoke execute on function record_outcomes, claim_job from public;
grant execute on function record_outcomes, claim_job to pronoia_app;
