-- hold_user: Wait until nobody is adding anything of a user, and let nobody begin to.
select from users where organisation_id = $1 and user_id = $2 for update;

-- forget_user: Remove everything that is held about a user but the row that gives out versions (remember_forgotten), and
-- count it by table. With a time, memories from after it stay, and their uses; what was learned goes as a whole.
with newer as (
    select array(select id from memories where organisation_id = $1 and user_id = $2 and created_at > $3) as ids
),
held as (
    select
        (select count(*) from users where organisation_id = $1 and user_id = $2) as users,
        (select count(*) from memory_usage where organisation_id = $1 and user_id = $2) as memory_usage,
        (select count(*) from feedback where organisation_id = $1 and user_id = $2) as feedback,
        (select count(*) from relationships where organisation_id = $1 and user_id = $2) as relationships,
        (select count(*) from memory_revisions where organisation_id = $1 and user_id = $2) as memory_revisions,
        (select count(*) from work where organisation_id = $1 and user_id = $2) as work,
        (select count(*) from maintenance_actions where organisation_id = $1 and user_id = $2) as maintenance_actions
),
memories as (
    delete from memories where organisation_id = $1 and user_id = $2 and ($3::timestamptz is null or created_at <= $3)
    returning 1
),
accesses as (
    delete from accesses a using newer
    where a.organisation_id = $1 and a.user_id = $2 and a.memory_id <> all (newer.ids)
    returning 1
),
removals as (
    delete from removals where organisation_id = $1 and user_id = $2 returning 1
),
ranking_examples as (
    delete from ranking_examples where organisation_id = $1 and user_id = $2 returning 1
),
ranking_weights as (
    delete from ranking_weights where organisation_id = $1 and user_id = $2 returning 1
),
idempotency_keys as (
    delete from idempotency_keys where organisation_id = $1 and user_id = $2 returning 1
),
prediction_contributions as (
    delete from prediction_contributions where organisation_id = $1 and user_id = $2 returning 1
),
daily_outcomes as (
    delete from daily_outcomes where organisation_id = $1 and user_id = $2 returning 1
),
learning_metrics as (
    delete from learning_metrics where organisation_id = $1 and user_id = $2 returning 1
),
learning_runs as (
    delete from learning_runs where organisation_id = $1 and user_id = $2 returning 1
),
shared_answers as (
    delete from shared_answers where organisation_id = $1 and user_id in ($2, '') returning 1
),
kept_answers as (
    delete from kept_answers where organisation_id = $1 and user_id in ($2, '') returning 1
)
select json_build_object(
    'users', held.users,
    'memories', (select count(*) from memories),
    'memory_usage', held.memory_usage,
    'accesses', (select count(*) from accesses),
    'feedback', held.feedback,
    'relationships', held.relationships,
    'removals', (select count(*) from removals),
    'memory_revisions', held.memory_revisions,
    'work', held.work,
    'maintenance_actions', held.maintenance_actions,
    'ranking_examples', (select count(*) from ranking_examples),
    'ranking_weights', (select count(*) from ranking_weights),
    'idempotency_keys', (select count(*) from idempotency_keys),
    'prediction_contributions', (select count(*) from prediction_contributions),
    'daily_outcomes', (select count(*) from daily_outcomes),
    'learning_metrics', (select count(*) from learning_metrics),
    'learning_runs', (select count(*) from learning_runs),
    'shared_answers', (select count(*) from shared_answers),
    'kept_answers', (select count(*) from kept_answers)
)::text
from held;

-- remember_forgotten: Let go of the name if nothing of it is left, and keep how far the versions got.
with gone as (
    delete from users u
    where u.organisation_id = $1 and u.user_id = $2
        and not exists (select from memories m where m.organisation_id = $1 and m.user_id = $2)
    returning u.memory_version, u.activity
)
insert into forgotten_users as f (organisation_id, digest, memory_version, activity)
select $1, user_digest($1, $2), memory_version, activity from gone
on conflict (organisation_id, digest) do update
    set memory_version = excluded.memory_version, activity = excluded.activity;

-- count_again: Of a user of whom something is left, everybody reads everything again.
update users u
set complete_from = u.memory_version,
    memory_count = (select count(*) from memories m where m.organisation_id = $1 and m.user_id = $2)
where u.organisation_id = $1 and u.user_id = $2;

-- anonymise_keys: Revoke the keys that name a user, and let go of the name; with a second time, only those made before.
update api_keys
set user_id = forgotten_name($1, $2), revoked_at = coalesce(revoked_at, $3)
where organisation_id = $1 and user_id = $2 and ($4::timestamptz is null or created_at <= $4)
returning id;

-- erasure_key: What the digests of an organisation's erased people are keyed with.
select erasure_key from organisations where organisation_id = $1;

-- keep_receipt: Keep the receipt of an erasure, once.
insert into erasures (organisation_id, id, subject, erased_at, counts, seal, noted_at)
values ($1, $2, $3, $4, $5::text::json, $6, $7)
on conflict do nothing;

-- erasures_to_note: Receipts that are not in the ledger outside yet.
select organisation_id, id, subject, erased_at, counts::text, seal from erasures_to_note($1);

-- note_erasures: These are.
select note_erasures($1, $2, $3);

-- people: Some names of users, after a name, that anything is held of or that keys are bound to.
select name
from (
    select user_id as name from users where organisation_id = $1
    union
    select user_id from api_keys where organisation_id = $1 and user_id is not null
) named
where name > $2
order by name
limit $3;

-- held_since: When the oldest of a user's memories and keys was made; null if there is none.
select least(
    (select min(created_at) from memories where organisation_id = $1 and user_id = $2),
    (select min(created_at) from users where organisation_id = $1 and user_id = $2),
    (select min(created_at) from api_keys where organisation_id = $1 and user_id = $2));

-- open_records: Begin to read all that is held about a user, each record with the name of its table.
declare subject_records no scroll cursor for
    select 'users' as type, row_to_json(r)::text as record from users r where organisation_id = $1 and user_id = $2
    union all
    select 'memories', row_to_json(r)::text from memories r where organisation_id = $1 and user_id = $2
    union all
    select 'memory_usage', row_to_json(r)::text from memory_usage r where organisation_id = $1 and user_id = $2
    union all
    select 'memory_revisions', row_to_json(r)::text from memory_revisions r where organisation_id = $1 and user_id = $2
    union all
    select 'relationships', row_to_json(r)::text from relationships r where organisation_id = $1 and user_id = $2
    union all
    select 'accesses', row_to_json(r)::text from accesses r where organisation_id = $1 and user_id = $2
    union all
    select 'feedback', row_to_json(r)::text from feedback r where organisation_id = $1 and user_id = $2
    union all
    select 'removals', row_to_json(r)::text from removals r where organisation_id = $1 and user_id = $2
    union all
    select 'work', row_to_json(r)::text from work r where organisation_id = $1 and user_id = $2
    union all
    select 'ranking_examples', row_to_json(r)::text from ranking_examples r where organisation_id = $1 and user_id = $2
    union all
    select 'ranking_weights', row_to_json(r)::text from ranking_weights r where organisation_id = $1 and user_id = $2
    union all
    select 'prediction_contributions', row_to_json(r)::text from prediction_contributions r
    where organisation_id = $1 and user_id = $2
    union all
    select 'daily_outcomes', row_to_json(r)::text from daily_outcomes r where organisation_id = $1 and user_id = $2
    union all
    select 'learning_metrics', row_to_json(r)::text from learning_metrics r where organisation_id = $1 and user_id = $2
    union all
    select 'learning_runs', row_to_json(r)::text from learning_runs r where organisation_id = $1 and user_id = $2
    union all
    select 'maintenance_actions', row_to_json(r)::text from maintenance_actions r
    where organisation_id = $1 and user_id = $2
    union all
    select 'idempotency_keys',
        (to_jsonb(r) || jsonb_build_object('outcome', convert_from(r.outcome, 'UTF8')::jsonb))::text
    from idempotency_keys r
    where organisation_id = $1 and user_id in ($2, forgotten_name($1, $2))
    union all
    select 'api_keys', (to_jsonb(r) - 'secret_hash' - 'previous_secret_hash')::text from api_keys r
    where organisation_id = $1 and user_id = $2
    union all
    select 'forgotten_users', row_to_json(r)::text from forgotten_users r
    where organisation_id = $1 and digest = user_digest($1, $2)
    union all
    select 'audit_log', row_to_json(r)::text from audit_log r
    where organisation_id = $1
        and subject = (select pseudonym from users where organisation_id = $1 and user_id = $2)
    union all
    select 'user_roles', row_to_json(r)::text from user_roles r
    where organisation_id = $1 and digest = user_digest($1, $2)
    union all
    select 'token_revocations', row_to_json(r)::text from token_revocations r
    where organisation_id = $1 and digest = user_digest($1, $2);

-- next_records: Read some more of them.
fetch 500 from subject_records;

-- tables_of_people: The tables with rows of users, which have bytes of what was erased until they are written anew.
select c.oid::regclass::text as name
from pg_class c
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and exists (
    select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped)
order by 1;

-- statistics_can_be_cleared: Whether this server can forget the planner's statistics of a column.
select to_regproc('pg_catalog.pg_clear_attribute_stats') is not null;

-- clear_statistics: Forget the planner's statistics of a table, which are samples of its columns.
select pg_clear_attribute_stats('public', $1, attname::text, false)
from pg_attribute
where attrelid = $1::text::regclass and attnum > 0 and not attisdropped;

-- rewriting_statement: How to write a table anew without what was deleted.
select format('vacuum (full, analyze) %s', $1::text::regclass) as rewriting;

-- rewrite_statistics: Write the planner's statistics anew without those that were replaced.
vacuum (full) pg_statistic;
