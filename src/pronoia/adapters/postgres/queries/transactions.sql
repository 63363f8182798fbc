-- enter_tenant: Step down to the role without rights, into one organisation, until the transaction ends.
select set_config('role', 'pronoia_app', true), set_config('app.tenant', $1, true);

-- enter_pooled_tenant: The same on a connection that others use too: with settings $2 of values $3, and letting the
-- session go without a tenant. The first column is the tenant that somebody had left in it.
select
    nullif(current_setting('app.tenant', true), '') as planted,
    set_config('app.tenant', '', false), set_config('role', 'pronoia_app', true), set_config('app.tenant', $1, true),
    (select count(set_config(name, value, true)) from unnest($2::text[], $3::text[]) as given (name, value)) as settings;

-- begin_write: The same for a write, which also takes the user's lock and next version, and is told to the audit log
-- unless it happened before.
select version, request_hash, outcome,
    case when outcome is null then record_audit($1, $2, $5, 'succeeded', $6, $7, $8, $9, $10::jsonb) end as recorded
from begin_write($1, $2, $3, $4);

-- remember_outcome: Keep the answer for whoever asks again with the same key; not with a name that was just forgotten.
insert into idempotency_keys (organisation_id, user_id, key, request_hash, memory_ids, outcome)
select $1, case when exists (select from users where organisation_id = $1 and user_id = $2) then $2
    else forgotten_name($1, $2) end, $3, $4, $5, $6;

-- claim_key: Take an idempotency key for a write that is about no user's memory, or say for what it was taken. It writes
-- in either case, so that the commit waits for standbys.
insert into idempotency_keys as k (organisation_id, user_id, key, request_hash, memory_ids, outcome)
values ($1, '', $2, $3, '{}', $4)
on conflict (organisation_id, user_id, key) do update set request_hash = k.request_hash
returning xmax = 0 as first, request_hash, outcome;

-- lock_user: Take the user's lock without a new version yet.
select memory_version from users where organisation_id = $1 and user_id = $2 for no key update;

-- confirm_earlier_commits: Write to the log, so that this commit waits for standbys: what it answers with may have been
-- committed by a transaction whose own wait was cut short.
select pg_logical_emit_message(true, 'pronoia', '');
