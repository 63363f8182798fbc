-- Fills every table that has an index of ours, by the settings large.users, large.memories and large.uses of each user,
-- large.indexed and large.idle.

create function pg_temp.users() returns bigint language sql stable
return current_setting('large.users')::bigint;
create function pg_temp.memories() returns bigint language sql stable
return current_setting('large.memories')::bigint;
create function pg_temp.uses() returns bigint language sql stable
return current_setting('large.uses')::bigint;
create function pg_temp.indexed() returns bigint language sql stable
return current_setting('large.indexed')::bigint;
create function pg_temp.idle() returns bigint language sql stable
return current_setting('large.idle')::bigint;
create function pg_temp.org(person bigint) returns uuid language sql immutable
return ('00000000-0000-4000-8000-' || lpad((person % 5)::text, 12, '0'))::uuid;
create function pg_temp.who(person bigint) returns text language sql immutable
return 'user ' || person;
create function pg_temp.id(person bigint, place bigint) returns uuid language sql immutable
return (lpad(to_hex(1700000000000 + place * 1000), 12, '0') || '70008' || lpad(to_hex(person), 15, '0'))::uuid;
-- A time within the last 400 days, by how far it is on the way through them.
create function pg_temp.at(share float8) returns timestamptz language sql stable
return now() - make_interval(secs => (1 - share) * 400 * 86400);

insert into organisations (organisation_id) select distinct pg_temp.org(p) from generate_series(1, pg_temp.users()) p;

insert into users (organisation_id, user_id, memory_version, activity, memory_count, search_state)
select pg_temp.org(p), pg_temp.who(p), pg_temp.memories(), pg_temp.uses(), pg_temp.memories(),
    case when p = 1 then 'indexed' when p = 2 then 'indexing' else 'exact' end
from generate_series(1, pg_temp.users()) p;

insert into users (organisation_id, user_id)
select pg_temp.org(p), 'idle ' || p from generate_series(1, pg_temp.idle()) p;

insert into memories (organisation_id, user_id, id, version, created_version, created_at, updated_at, approximate,
    embedding_space, embedding, text, source, project_id, tags, metadata, terms, archived_by)
select pg_temp.org(p), pg_temp.who(p), pg_temp.id(p, n), n, n, pg_temp.at(n / pg_temp.memories()::float8),
    pg_temp.at(n / pg_temp.memories()::float8), p = 1 and n <= pg_temp.indexed(), case when p = 1 and n <= pg_temp.indexed() then 'model' end,
    case when p = 1 and n <= pg_temp.indexed() then (
        select array_agg(sin(n * 12.9898 + i * 78.233))::vector(256)::halfvec(256) from generate_series(1, 256) i
    ) end,
    'Note ' || n || ' is about topic' || n % 97 || ' and thing' || n % 1009, 'api', 'project ' || n % 7, '["tag"]',
    '{}', '\x0100000002000000', case when n % 500 = 0 then pg_temp.id(p, n) end
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n
order by n, p;

insert into memory_usage (organisation_id, user_id, memory_id, usage_count, last_accessed)
select pg_temp.org(p), pg_temp.who(p), pg_temp.id(p, n), n % 50, pg_temp.at(n / pg_temp.memories()::float8)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into accesses (organisation_id, user_id, activity, memory_id, kind, at)
select pg_temp.org(p), pg_temp.who(p), n, pg_temp.id(p, 1 + n::bigint * 7919 % pg_temp.memories()),
    (array['get', 'recall', 'recall', 'write'])[(1 + n % 4)::int], pg_temp.at(n / pg_temp.uses()::float8)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.uses()) n;

insert into feedback (organisation_id, user_id, version, memory_id, helpful, satisfaction, at)
select pg_temp.org(p), pg_temp.who(p), n, pg_temp.id(p, n), n % 3 > 0, n % 11 / 10.0,
    pg_temp.at(n / pg_temp.memories()::float8)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into relationships (organisation_id, user_id, id, version, memory_id, related_memory_id, type, strength,
    explanation, created_at)
select pg_temp.org(p), pg_temp.who(p), pg_temp.id(p, n), n, pg_temp.id(p, n), pg_temp.id(p, 1 + n::bigint * 7919 % pg_temp.memories()),
    (array['related_to', 'similar_to', 'follows'])[(1 + n % 3)::int], n % 100 / 100.0, 'They share a topic.', now()
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into removals (organisation_id, user_id, version, kind, id, at)
select pg_temp.org(p), pg_temp.who(p), n, 'memory', pg_temp.id(p, n + pg_temp.memories()), pg_temp.at(n / pg_temp.memories()::float8)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into memory_revisions (organisation_id, user_id, memory_id, version, at, old_text, new_text)
select pg_temp.org(p), pg_temp.who(p), pg_temp.id(p, n), n, now(), 'old', 'new'
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into idempotency_keys (organisation_id, user_id, key, request_hash, memory_ids, outcome, created_at)
select pg_temp.org(p), pg_temp.who(p), 'key ' || n, '\x00', array[pg_temp.id(p, n)], '\x00',
    now() - make_interval(secs => 86000 + 500 * n / pg_temp.memories()::float8)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into work (organisation_id, user_id, memory_id, kind, available_at)
select pg_temp.org(p), pg_temp.who(p), pg_temp.id(p, n), case when n % 10 = 0 then 'embed' else 'link' end,
    now() + make_interval(secs => n - 10)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into maintenance_actions (organisation_id, user_id, id, version, kind, memory_id, kept_memory_id, at)
select pg_temp.org(p), pg_temp.who(p), pg_temp.id(p, n), n, 'merge', pg_temp.id(p, n), pg_temp.id(p, n + 1),
    pg_temp.at(n / pg_temp.memories()::float8)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into daily_outcomes (organisation_id, user_id, day, kind, bin, trials, hits, confidence)
select pg_temp.org(p), pg_temp.who(p), current_date - (n / 14)::int,
    (array['search', 'prediction', 'suggestion', 'withheld', 'silent'])[(1 + greatest(n % 14 - 9, 0))::int],
    least(n % 14, 9), 3, 1, 0.5
from generate_series(1, pg_temp.users()) p, generate_series(1, least(pg_temp.memories(), 14 * 400)) n
on conflict do nothing;

insert into learning_metrics (organisation_id, user_id, metric, day, value)
select pg_temp.org(p), pg_temp.who(p), m, current_date - n::int, 0.5
from generate_series(1, pg_temp.users()) p, generate_series(0, least(pg_temp.memories() / 2, 400)) n,
    unnest(array['avg_helpfulness', 'relationship_quality']) m;

insert into api_keys (organisation_id, id, permissions, plan, secret_hash, created_at)
select pg_temp.org(n), 'key ' || n, '{read}', 'free', '\x00', now()
from generate_series(1, pg_temp.users()::bigint * pg_temp.memories()) n;

insert into shared_answers (organisation_id, user_id, key, value, cost_seconds, expires_at)
select pg_temp.org(p), pg_temp.who(p), int8send(n), '\x00', 0.1, now() + make_interval(secs => n)
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into kept_answers select * from shared_answers;

insert into audit_log (organisation_id, action, outcome, actor, number)
select pg_temp.org(p), 'memory.created', 'succeeded', 'key:1',
    case when n % 1000 > 0 then (p - 1) / 5 * pg_temp.memories() + n end
from generate_series(1, pg_temp.users()) p, generate_series(1, pg_temp.memories()) n;

insert into audit_heads (organisation_id, number, hash, chained_at)
select organisation_id, max(number), '\x00', now() from audit_log where number is not null group by organisation_id;

insert into projects (organisation_id, project_id, retention_days, created_at)
select organisation_id, 'project 1', 390, now() from organisations;
