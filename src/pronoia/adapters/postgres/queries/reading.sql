-- read_memory: One memory with its counts.
select m.id, m.user_id, m.text, m.source, m.project_id, m.tags::text, m.metadata::text, m.session_id, m.agent_id,
    m.speaker, m.occurred_at, m.created_at, m.updated_at, m.duplicate_of, coalesce(g.usage_count, 0) as usage_count,
    g.last_accessed, coalesce(g.helpfulness, 0.5) as helpfulness, m.trust, m.batch_id, m.written_by, m.written_via
from memories m
left join memory_usage g
    on g.organisation_id = m.organisation_id and g.user_id = m.user_id and g.memory_id = m.id
where m.organisation_id = $1 and m.user_id = $2 and m.id = $3 and m.archived_by is null;

-- count_links: How many relationships lead from or to a memory.
select
    (select count(*) from relationships
        where organisation_id = $1 and user_id = $2 and memory_id = $3 and archived_by is null)
    + (select count(*) from relationships
        where organisation_id = $1 and user_id = $2 and related_memory_id = $3 and archived_by is null);

-- read_page: Memories that match, newest first.
select m.id, m.user_id, m.text, m.source, m.project_id, m.tags::text, m.metadata::text, m.session_id, m.agent_id,
    m.speaker, m.occurred_at, m.created_at, m.updated_at, m.duplicate_of, coalesce(g.usage_count, 0) as usage_count,
    g.last_accessed, coalesce(g.helpfulness, 0.5) as helpfulness, m.trust, m.batch_id, m.written_by, m.written_via
from memories m
left join memory_usage g
    on g.organisation_id = m.organisation_id and g.user_id = m.user_id and g.memory_id = m.id
where m.organisation_id = $1 and m.user_id = $2 and m.archived_by is null
    and ($3::text is null or m.project_id = $3)
    and ($4::text is null or m.tags::jsonb @> $4::text::jsonb)
    and ($5::text is null or m.source = $5)
    and ($6::text is null or m.session_id = $6)
    and ($7::text is null or m.agent_id = $7)
    and ($8::timestamptz is null or m.created_at > $8)
    and ($9::timestamptz is null or m.created_at < $9)
    and ($10::text is null or m.metadata::jsonb @> $10::text::jsonb)
    and ($11::uuid is null or m.id < $11)
    and ($14::smallint is null or m.trust >= $14)
order by m.id desc
offset $12
limit $13;

-- read_page_oldest: The same, oldest first. A query of its own, so that each is a walk along the primary key.
select m.id, m.user_id, m.text, m.source, m.project_id, m.tags::text, m.metadata::text, m.session_id, m.agent_id,
    m.speaker, m.occurred_at, m.created_at, m.updated_at, m.duplicate_of, coalesce(g.usage_count, 0) as usage_count,
    g.last_accessed, coalesce(g.helpfulness, 0.5) as helpfulness, m.trust, m.batch_id, m.written_by, m.written_via
from memories m
left join memory_usage g
    on g.organisation_id = m.organisation_id and g.user_id = m.user_id and g.memory_id = m.id
where m.organisation_id = $1 and m.user_id = $2 and m.archived_by is null
    and ($3::text is null or m.project_id = $3)
    and ($4::text is null or m.tags::jsonb @> $4::text::jsonb)
    and ($5::text is null or m.source = $5)
    and ($6::text is null or m.session_id = $6)
    and ($7::text is null or m.agent_id = $7)
    and ($8::timestamptz is null or m.created_at > $8)
    and ($9::timestamptz is null or m.created_at < $9)
    and ($10::text is null or m.metadata::jsonb @> $10::text::jsonb)
    and ($11::uuid is null or m.id > $11)
    and ($14::smallint is null or m.trust >= $14)
order by m.id
offset $12
limit $13;

-- count_page: How many memories match, wherever the page begins.
select count(*)
from memories m
where m.organisation_id = $1 and m.user_id = $2 and m.archived_by is null
    and ($3::text is null or m.project_id = $3)
    and ($4::text is null or m.tags::jsonb @> $4::text::jsonb)
    and ($5::text is null or m.source = $5)
    and ($6::text is null or m.session_id = $6)
    and ($7::text is null or m.agent_id = $7)
    and ($8::timestamptz is null or m.created_at > $8)
    and ($9::timestamptz is null or m.created_at < $9)
    and ($10::text is null or m.metadata::jsonb @> $10::text::jsonb)
    and ($11::smallint is null or m.trust >= $11);

-- count_relationships: How many relationships a user has of each type, and how strong they are on average.
select type, count(*) as count, avg(strength) as average_strength
from relationships
where organisation_id = $1 and user_id = $2 and archived_by is null
group by type
order by type;

-- read_history: What happened to a memory, oldest first; of a deleted one only that it was deleted.
with living as (
    select created_version, created_at, text from memories
    where organisation_id = $1 and user_id = $2 and id = $3
),
revisions as (
    select version, at, old_text, new_text from memory_revisions
    where organisation_id = $1 and user_id = $2 and memory_id = $3
)
select 'ADD' as event, created_version as version, created_at as at, null as old_text, coalesce(
    (select old_text from revisions where old_text is not null order by version limit 1), text) as new_text
from living
union all
select 'UPDATE', version, at, old_text, new_text from revisions
union all
select 'DELETE', version, at, null, null from removals
where organisation_id = $1 and user_id = $2 and kind = 'memory' and id = $3
order by version;
