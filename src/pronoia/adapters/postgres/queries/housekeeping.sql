-- purge_idempotency_keys: Forget outcomes older than some seconds, up to a number.
select purge_idempotency_keys(make_interval(secs => $1), $2);

-- purge_history: Forget old uses and removals of some users after one, and say where to go on; null at the end.
select organisation_id, user_id, purged from purge_history($1, $2, $3, $4, $5, $6);

-- purge_metrics: Forget some daily sums and metrics from before a day.
select purge_metrics($1, $2);

-- purge_token_revocations: Forget some revocations of tokens from before a time.
select purge_token_revocations($1, $2);

-- refresh_hourly_levels: Add up service levels by the hour anew.
select refresh_hourly_levels();

-- users_to_index: Users whose rows are still being put into the shared indexes.
select organisation_id, user_id from users_to_index($1);

-- index_some_memories: Put some more rows of a user into the shared indexes.
with chosen as (
    select id from memories where organisation_id = $1 and user_id = $2 and not approximate order by id limit $3
),
indexed as (
    update memories m set approximate = true from chosen c
    where m.organisation_id = $1 and m.user_id = $2 and m.id = c.id
    returning 1
)
select count(*) from indexed;

-- end_indexing: All rows of the user are in the shared indexes.
update users set search_state = 'indexed' where organisation_id = $1 and user_id = $2 and search_state = 'indexing';

-- try_index_lock: Only one process builds an index. Never waited for: a waiting snapshot would stop the build it waits
-- for.
select pg_try_advisory_lock(hashtextextended('pronoia.vector_index', 0));

-- vector_index_is_whole: Whether the index of vectors of this size was built to its end; null if there is none.
select indisvalid from pg_index where indexrelid = to_regclass(format('memories_embedding_%s', $1::integer));

-- vector_index_statements: How to drop and to build the index of vectors of this size, beside reads and writes.
select
    format('drop index concurrently memories_embedding_%s', $1::integer) as dropping,
    format(
        'create index concurrently memories_embedding_%1$s on memories '
        'using hnsw ((embedding::halfvec(%1$s)) halfvec_ip_ops) where approximate and vector_dims(embedding) = %1$s',
        $1::integer
    ) as building;

-- instance_totals: What is stored of all tenants together.
select memories, users, organisations, relationships, to_embed, to_link from instance_totals();

-- expired_memories: Memories of any tenant that are older than their project keeps them.
select organisation_id, user_id, id from expired_memories($1, $2);
