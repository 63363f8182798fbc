-- record_audit: Add a row to the audit log.
select record_audit($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb);

-- audit_is_there: Whether this database has the audit log yet.
select to_regclass('audit_log') is not null;

-- audit_can_be_told: Whether this role may add rows to the audit log here: it is there, and this is no standby.
select coalesce(has_table_privilege(to_regclass('audit_log'), 'insert'), false) and not pg_is_in_recovery();

-- chain_audit: Number and link what waits.
select chained, waiting, waiting_seconds from chain_audit($1);

-- moved_audit_heads: The ends of the chains that moved since a time.
select organisation_id, number, hash from moved_audit_heads($1);

-- time_now: The time of the database.
select now();

-- read_audit: Chained rows of an organisation, newest first.
select organisation_id, number, at, action, outcome, actor, subject::text, route, request_id, details::text as details,
    content_hash, previous_hash, hash
from audit_log
where organisation_id = $1 and number < coalesce($2, 9223372036854775807)
    and ($3::text[] is null or action = any ($3)) and ($4::text is null or actor = $4)
    and ($5::text is null or outcome = $5) and ($6::timestamptz is null or at >= $6)
    and ($7::timestamptz is null or at < $7)
order by number desc
offset $8
limit $9;

-- count_audit: How many rows match, up to a maximum.
select count(*)
from (
    select from audit_log
    where organisation_id = $1 and number is not null
        and ($2::text[] is null or action = any ($2)) and ($3::text is null or actor = $3)
        and ($4::text is null or outcome = $4) and ($5::timestamptz is null or at >= $5)
        and ($6::timestamptz is null or at < $6)
    limit $7
) matching;

-- count_audit_actions: How often each action had each outcome since a time.
select action, outcome, sum(coalesce((details ->> 'times')::bigint, 1))::bigint as times
from audit_log
where organisation_id = $1 and at >= $2 and number is not null
group by action, outcome
order by action, outcome;

-- read_audit_chain: The next rows of all chains, as the owner of the tables sees them.
select organisation_id, number, at, action, outcome, actor, subject::text, route, request_id, details::text as details,
    content_hash, previous_hash, hash
from audit_log
where number is not null and (organisation_id, number) > ($1, $2)
order by organisation_id, number
limit $3;

-- count_audit_waiting: How many rows are not numbered yet, as the owner of the tables sees them.
select count(*) from audit_log where number is null;

-- read_audit_heads: The ends of all chains, as the owner of the tables sees them.
select organisation_id, number, hash from audit_heads order by organisation_id;
