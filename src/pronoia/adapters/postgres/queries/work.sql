-- claim_work: Take work of any tenant for some seconds.
select organisation_id, user_id, memory_ids from claim_work($1, $2, make_interval(secs => $3));

-- finish_links: Close linking work that was begun, and store what it found unless the pair already has it.
with closed as (
    delete from work
    where organisation_id = $1 and user_id = $2 and memory_id = any($4) and kind = 'link' and attempts > 0
),
linked as (
    insert into relationships (
        organisation_id, user_id, id, version, memory_id, related_memory_id, type, strength, explanation, created_at)
    select $1, $2, f.id, $3 + 1, f.memory_id, f.related_memory_id, f.type, f.strength, f.explanation, f.created_at
    from unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::float8[], $10::text[], $11::timestamptz[])
        as f (id, memory_id, related_memory_id, type, strength, explanation, created_at)
    -- Scalar subqueries, not joins: a join may be planned as reading all the user's memories once a link.
    where (select true from memories m
            where m.organisation_id = $1 and m.user_id = $2 and m.id = f.memory_id and m.archived_by is null)
        and (select true from memories m
            where m.organisation_id = $1 and m.user_id = $2 and m.id = f.related_memory_id and m.archived_by is null)
    on conflict (organisation_id, user_id, memory_id, related_memory_id, type) do nothing
    returning 1
),
advanced as (
    update users set memory_version = $3 + 1
    where organisation_id = $1 and user_id = $2 and exists (select from linked)
    returning memory_version
)
select coalesce((select memory_version from advanced), $3::bigint);

-- finish_vectors: Store vectors of texts that are still the ones that were embedded, and have them linked.
with closed as (
    delete from work
    where organisation_id = $1 and user_id = $2 and memory_id = any($4::uuid[]) and kind = 'embed' and attempts > 0
    returning memory_id
),
embedded as (
    update memories m set version = $3 + 1, embedding_space = v.space, embedding = v.embedding
    from unnest($4::uuid[], $5::text[], $6::halfvec[]) as v (memory_id, space, embedding)
    join closed c on c.memory_id = v.memory_id
    where m.organisation_id = $1 and m.user_id = $2 and m.id = v.memory_id
    returning m.id
),
queued as (
    insert into work (organisation_id, user_id, memory_id, kind)
    select $1, $2, id, 'link' from embedded
    on conflict (organisation_id, user_id, memory_id, kind) do update set available_at = now(), attempts = 0
),
advanced as (
    update users set memory_version = $3 + 1
    where organisation_id = $1 and user_id = $2 and exists (select from embedded)
    returning memory_version
)
select coalesce((select memory_version from advanced), $3::bigint);

-- record_accesses: Append and count uses of many users.
select organisation_id, user_id, activity from record_accesses($1, $2, $3, $4, $5, $6);
