-- read_recent_accesses: The user's newest uses of the period, oldest first, as columns.
select
    array_agg(memory_id order by activity) as memory_ids,
    array_agg(date_part('epoch', at) order by activity) as times
from accesses
where organisation_id = $1 and user_id = $2 and kind in ('get', 'recall') and at >= $3
    and activity > (select activity from users where organisation_id = $1 and user_id = $2) - $4::bigint;

-- read_satisfaction: How satisfied the user was, by day; without a number, helpful is 1 and unhelpful 0.
select (at at time zone 'UTC')::date as day, avg(coalesce(satisfaction, helpful::integer)) as value, count(*) as count
from feedback
where organisation_id = $1 and user_id = $2 and at >= $3
group by 1
order by 1;

-- record_outcomes: Add to the daily sums of many users.
select record_outcomes($1, $2, $3, $4, $5, $6, $7, $8);

-- read_outcomes: The daily sums of a user.
select day, kind, bin, trials, hits, confidence from daily_outcomes
where organisation_id = $1 and user_id = $2 and day >= $3
order by day, kind, bin;

-- record_metric: Keep a metric of a day; measured again, it is replaced.
insert into learning_metrics (organisation_id, user_id, metric, day, value)
select $1, $2, $3, $4, $5 where exists (select from users where organisation_id = $1 and user_id = $2)
on conflict (organisation_id, user_id, metric, day) do update set value = excluded.value;

-- read_metrics: The metrics of a user that were kept.
select metric, day, value from learning_metrics
where organisation_id = $1 and user_id = $2 and day >= $3
order by day, metric;

-- record_run: Note that a job was done for a user.
insert into learning_runs as r (organisation_id, user_id, job, activity, last_run, runs, relationships_created)
select $1, $2, $3, u.activity, $4, 1, $5 from users u where u.organisation_id = $1 and u.user_id = $2
on conflict (organisation_id, user_id, job) do update
    set activity = excluded.activity, last_run = excluded.last_run, runs = r.runs + 1,
        relationships_created = r.relationships_created + excluded.relationships_created;

-- read_runs: What was done for a user, and when the organisation's turn comes again.
select
    (select max(last_run) from learning_runs where organisation_id = $1 and user_id = $2) as last_run,
    (select coalesce(sum(runs), 0)::bigint from learning_runs
        where organisation_id = $1 and user_id = $2 and job = 'patterns') as total_analyses,
    (select coalesce(sum(relationships_created), 0)::bigint from learning_runs
        where organisation_id = $1 and user_id = $2) as relationships_created,
    (select min(next_run) from schedule where organisation_id = $1) as next_run;

-- claim_job: Take the job of an organisation for whom it is due.
select organisation_id from claim_job($1, $2, make_interval(secs => $3), coalesce($4::timestamptz, now()));

-- finish_job: Say that it is done, unless another process has taken it over meanwhile.
update schedule set last_run = coalesce($5::timestamptz, now()), leased_until = null, holder = null,
    next_run = coalesce($5::timestamptz, now()) + make_interval(secs => $4)
where organisation_id = $1 and job = $2 and holder = $3;

-- read_active_users: Users who used their memory since the job was last done for them.
select u.user_id from users u
left join learning_runs r on r.organisation_id = u.organisation_id and r.user_id = u.user_id and r.job = $2
where u.organisation_id = $1 and u.activity > coalesce(r.activity, 0)
order by r.last_run nulls first, u.user_id
limit $3;
