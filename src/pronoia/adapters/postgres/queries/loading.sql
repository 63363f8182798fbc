-- user_state: How far a user has come; one who was forgotten, how far until then.
select memory_version, activity, memory_count from users where organisation_id = $1 and user_id = $2
union all
select memory_version, activity, 0 from forgotten_users
where organisation_id = $1 and digest = user_digest($1, $2)
    and not exists (select from users where organisation_id = $1 and user_id = $2);

-- load_memories: All memories of a user by column, in slices of $4, so that no message keeps the reader's loop for long.
with numbered as (
    select id, row_number() over (order by id) - 1 as place
    from memories
    where organisation_id = $1 and user_id = $2 and archived_by is null
),
slices as (
    select id as first, coalesce(lead(id) over (order by id), 'ffffffff-ffff-ffff-ffff-ffffffffffff') as next
    from numbered
    where place % $4 = 0
)
select s.*
from slices
cross join lateral (
    select
        string_agg(uuid_send(id), ''::bytea order by id) as ids,
        coalesce(
            string_agg(halfvec_send(embedding), ''::bytea order by id) filter (where embedding_space = $3), ''
        ) as vectors,
        array_agg(embedding_space is not null and embedding_space = $3 order by id) as embedded,
        string_agg(terms, ''::bytea order by id) as terms,
        array_agg(octet_length(terms) / 4 order by id) as term_counts,
        array_agg(text order by id) as texts,
        array_agg(source order by id) as sources,
        array_agg(project_id order by id) as project_ids,
        array_agg(tags::text order by id) as tags,
        array_agg(metadata::text order by id) as metadata,
        array_agg(session_id order by id) as session_ids,
        array_agg(agent_id order by id) as agent_ids,
        array_agg(speaker order by id) as speakers,
        array_agg(date_part('epoch', occurred_at) order by id) as occurred_at,
        array_agg(date_part('epoch', created_at) order by id) as created_at,
        array_agg(date_part('epoch', updated_at) order by id) as updated_at,
        array_agg(duplicate_of order by id) as duplicate_of,
        array_agg(trust order by id) as trust,
        array_agg(written_by order by id) as written_by,
        array_agg(written_via order by id) as written_via,
        string_agg(
            uuid_send(coalesce(batch_id, '00000000-0000-0000-0000-000000000000')), ''::bytea order by id
        ) as batch_ids
    from memories m
    where m.organisation_id = $1 and m.user_id = $2 and m.id >= slices.first and m.id < slices.next
        and m.archived_by is null
) s
order by slices.first;

-- load_usage: All that is counted about a user's memories.
select
    array_agg(memory_id order by memory_id) as ids,
    array_agg(usage_count order by memory_id) as usage_count,
    array_agg(date_part('epoch', last_accessed) order by memory_id) as last_accessed,
    array_agg(helpfulness order by memory_id) as helpfulness
from memory_usage
where organisation_id = $1 and user_id = $2;

-- load_accesses: The newest $3 uses of a user, oldest first.
select
    coalesce(string_agg(uuid_send(memory_id), ''::bytea order by activity), '') as memory_ids,
    coalesce(string_agg(float8send(date_part('epoch', at)), ''::bytea order by activity), '') as times
from (
    select activity, memory_id, at
    from accesses
    where organisation_id = $1 and user_id = $2 and memory_id <> all(array(
        select id from memories where organisation_id = $1 and user_id = $2 and archived_by is not null))
    order by activity desc
    limit $3
) newest;

-- read_accesses: The uses after an activity.
select
    coalesce(string_agg(uuid_send(memory_id), ''::bytea order by activity), '') as memory_ids,
    coalesce(string_agg(float8send(date_part('epoch', at)), ''::bytea order by activity), '') as times
from accesses
where organisation_id = $1 and user_id = $2 and activity > $3 and memory_id <> all(array(
    select id from memories where organisation_id = $1 and user_id = $2 and archived_by is not null));

-- load_relationships: All relationships of a user, to be copied: only what has a fixed size.
select
    id, memory_id, related_memory_id, hashtext(type), strength, created_at, hashtextextended(explanation, 0)
from relationships
where organisation_id = $1 and user_id = $2 and archived_by is null

-- read_link_words: The type and explanation of some relationships.
select id, type, explanation
from relationships
where organisation_id = $1 and user_id = $2 and id = any($3);

-- changed_ids: Which memories and relationships changed or went after a version, and what was used after an activity.
select
    u.memory_version, u.activity, u.memory_count,
    $3 between u.complete_from and u.memory_version and $4 between u.uses_complete_from and u.activity as available,
    c.memories,
    c.relationships,
    array(
        select memory_id from accesses a where a.organisation_id = $1 and a.user_id = $2 and a.activity > $4
        union
        select memory_id from feedback f where f.organisation_id = $1 and f.user_id = $2 and f.version > $3
        union
        select kept_memory_id from maintenance_actions k
        where k.organisation_id = $1 and k.user_id = $2 and k.version > $3 and k.kept_memory_id is not null
    ) as used,
    array(
        select id from removals d
        where d.organisation_id = $1 and d.user_id = $2 and d.version > $3 and d.kind in ('memory', 'archive')
    ) as removed_memories,
    array(
        select id from removals d
        where d.organisation_id = $1 and d.user_id = $2 and d.version > $3 and d.kind = 'relationship'
    ) as removed_relationships
from users u
cross join changed_after(u.user_id, $3) c
where u.organisation_id = $1 and u.user_id = $2;

-- read_memories: Some memories by column.
select
    coalesce(string_agg(uuid_send(id), ''::bytea order by id), '') as ids,
    coalesce(
        string_agg(halfvec_send(embedding), ''::bytea order by id) filter (where embedding_space = $3), ''
    ) as vectors,
    array_agg(embedding_space is not null and embedding_space = $3 order by id) as embedded,
    coalesce(string_agg(terms, ''::bytea order by id), '') as terms,
    array_agg(octet_length(terms) / 4 order by id) as term_counts,
    array_agg(text order by id) as texts,
    array_agg(source order by id) as sources,
    array_agg(project_id order by id) as project_ids,
    array_agg(tags::text order by id) as tags,
    array_agg(metadata::text order by id) as metadata,
    array_agg(session_id order by id) as session_ids,
    array_agg(agent_id order by id) as agent_ids,
    array_agg(speaker order by id) as speakers,
    array_agg(date_part('epoch', occurred_at) order by id) as occurred_at,
    array_agg(date_part('epoch', created_at) order by id) as created_at,
    array_agg(date_part('epoch', updated_at) order by id) as updated_at,
    array_agg(duplicate_of order by id) as duplicate_of,
    array_agg(trust order by id) as trust,
    array_agg(written_by order by id) as written_by,
    array_agg(written_via order by id) as written_via,
    string_agg(
        uuid_send(coalesce(batch_id, '00000000-0000-0000-0000-000000000000')), ''::bytea order by id
    ) as batch_ids
from memories
where organisation_id = $1 and user_id = $2 and id = any($4) and archived_by is null;

-- read_usage: What is counted about some memories.
select
    array_agg(memory_id order by memory_id) as ids,
    array_agg(usage_count order by memory_id) as usage_count,
    array_agg(date_part('epoch', last_accessed) order by memory_id) as last_accessed,
    array_agg(helpfulness order by memory_id) as helpfulness
from memory_usage
where organisation_id = $1 and user_id = $2 and memory_id = any($3);

-- read_relationships: Some relationships.
select id, memory_id, related_memory_id, type, strength, explanation, created_at
from relationships
where organisation_id = $1 and user_id = $2 and id = any($3) and archived_by is null
order by id;

-- read_relationships_among: The relationships whose two memories are both among the given.
select id, memory_id, related_memory_id, type, strength, explanation, created_at
from relationships
where organisation_id = $1 and user_id = $2 and memory_id = any($3) and related_memory_id = any($3)
    and archived_by is null
order by id;

-- last_used: The ids of the $4 memories used last, out of a user's $3 newest uses.
select array(
    select memory_id
    from (
        select memory_id, activity
        from accesses
        where organisation_id = $1 and user_id = $2
        order by activity desc
        limit $3
    ) newest
    group by memory_id
    order by max(activity) desc
    limit $4
);

-- mendable: The ids of the $4 memories used last out of a user's $3 newest uses, of the $4 oldest that were never used,
-- and of the $4 unused longest that were judged at most $5 helpful.
with last_used as (
    select memory_id
    from (
        select memory_id, activity
        from accesses
        where organisation_id = $1 and user_id = $2
        order by activity desc
        limit $3
    ) newest
    group by memory_id
    order by max(activity) desc
    limit $4
),
never_used as (
    -- A scalar subquery, not a join: in the order of ids, the walk ends when there are enough.
    select m.id
    from memories m
    where m.organisation_id = $1 and m.user_id = $2 and m.archived_by is null and (
        select g.last_accessed from memory_usage g
        where g.organisation_id = $1 and g.user_id = $2 and g.memory_id = m.id
    ) is null
    order by m.id
    limit $4
),
unhelpful as (
    select g.memory_id
    from memory_usage g
    where g.organisation_id = $1 and g.user_id = $2 and g.helpfulness::real <= $5::real and (
        select m.archived_by from memories m where m.organisation_id = $1 and m.user_id = $2 and m.id = g.memory_id
    ) is null
    order by g.last_accessed nulls first, g.memory_id
    limit $4
)
select array(
    select memory_id from last_used union select id from never_used union select memory_id from unhelpful
);

-- read_neighbours: The other ends of each given memory's first $4 relationships: its own before others', strongest first.
select array(
    select distinct linked.other
    from unnest($3::uuid[]) near(id)
    cross join lateral (
        select case when r.memory_id = near.id then r.related_memory_id else r.memory_id end as other
        from relationships r
        where r.organisation_id = $1 and r.user_id = $2 and r.archived_by is null
            and (r.memory_id = near.id or r.related_memory_id = near.id)
        order by r.memory_id = near.id desc, r.strength desc, r.id
        limit $4
    ) linked
);

-- search_candidates: The ids of memories near a vector or sharing words, that match the filters.
select array(
    select distinct search_candidates(
        $1, $2, $3::halfvec, $4, $5, $6::text::jsonb, $7, $8, $9, $10, $11, $12::text::jsonb, $13, $14)
);
