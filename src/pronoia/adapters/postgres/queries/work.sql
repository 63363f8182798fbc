-- claim_work: Take work of any tenant for some seconds.
select organisation_id, user_id, memory_ids, leases from claim_work($1, $2, make_interval(secs => $3));

-- finish_links: Close linking work that is still ours, and store what it found unless the pair already has it.
with closed as (
    delete from work
    where organisation_id = $1 and user_id = $2 and memory_id = any($4) and kind = 'link' and available_at = any($5)
    returning memory_id
),
linked as (
    insert into relationships (
        organisation_id, user_id, id, version, memory_id, related_memory_id, type, strength, explanation, created_at)
    select $1, $2, f.id, $3 + 1, f.memory_id, f.related_memory_id, f.type, f.strength, f.explanation, f.created_at
    from unnest($6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::float8[], $11::text[], $12::timestamptz[])
        as f (id, memory_id, related_memory_id, type, strength, explanation, created_at)
    -- Scalar subqueries, not joins: a join may be planned as reading all the user's memories once a link.
    where f.memory_id in (select memory_id from closed)
        and (select true from memories m
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

-- finish_vectors: Store vectors where the work is still ours, so the texts are those embedded, and have them linked.
with closed as (
    delete from work
    where organisation_id = $1 and user_id = $2 and memory_id = any($4::uuid[]) and kind = 'embed'
        and available_at = any($5)
    returning memory_id
),
embedded as (
    update memories m set version = $3 + 1, embedding_space = v.space, embedding = v.embedding
    from unnest($4::uuid[], $6::text[], $7::halfvec[]) as v (memory_id, space, embedding)
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

-- work_left: Say whether there is work of any tenant. Only the owner may look.
select exists (select from work);
