-- add_memories: Insert memories, queue what is left to do for them, and tell which repeat an older text; told to the
-- audit log unless it happened before.
select version, repeating, repeated, request_hash, outcome,
    case when outcome is null
        then record_audit($1, $2, 'memory_created', 'succeeded', $26, $27, $28, $29, $30::jsonb) end as recorded
from add_memories(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25);

-- update_memory: Replace what is given, keep the rest; a new text leaves a revision and is linked (and embedded) anew. It
-- is trusted no more than whoever changed it.
with before as (
    select id, text, $5::text is not null and text_identity(text) <> text_identity($5) as rewritten
    from memories
    where organisation_id = $1 and user_id = $2 and id = $3 and archived_by is null
),
revised as (
    insert into memory_revisions (organisation_id, user_id, memory_id, version, at, old_text, new_text)
    select $1, $2, $3, $4, $12, case when rewritten then text end, case when rewritten then $5 end from before
),
queued as (
    insert into work as w (organisation_id, user_id, memory_id, kind)
    select $1::uuid, $2, $3::uuid, 'link' from before
    union all
    select $1, $2, $3, 'embed' from before where rewritten and $11::halfvec is null
    on conflict (organisation_id, user_id, memory_id, kind) do update set available_at = now(), attempts = 0
),
changed as (
    update memories m
    set version = $4, updated_at = $12, text = coalesce($5, m.text), source = coalesce($6, m.source),
        trust = least(m.trust, $14), edited_by = $15,
        project_id = coalesce($7, m.project_id), tags = coalesce($8::text::json, m.tags),
        metadata = coalesce($9::text::json, m.metadata),
        terms = case when before.rewritten then $10 else m.terms end,
        embedding = case when before.rewritten then $11 else m.embedding end,
        embedding_space = case when before.rewritten then $13 else m.embedding_space end,
        duplicate_of = case when before.rewritten then (earlier_memories($2, array[$5]))[1] else m.duplicate_of end
    from before
    where m.organisation_id = $1 and m.user_id = $2 and m.id = $3
    returning m.*
)
select m.id, m.user_id, m.text, m.source, m.project_id, m.tags::text, m.metadata::text, m.session_id, m.agent_id,
    m.speaker, m.occurred_at, m.created_at, m.updated_at, m.duplicate_of, coalesce(g.usage_count, 0) as usage_count,
    g.last_accessed, coalesce(g.helpfulness, 0.5) as helpfulness, m.trust, m.batch_id, m.written_by, m.written_via
from changed m
left join memory_usage g
    on g.organisation_id = m.organisation_id and g.user_id = m.user_id and g.memory_id = m.id;

-- delete_memory: Remove a memory, all that was derived from it and every copy of its text; leave only that it is gone.
with gone as (
    delete from memories where organisation_id = $1 and user_id = $2 and id = $3 returning id
),
unlinked as (
    select id from relationships where organisation_id = $1 and user_id = $2 and (memory_id = $3 or related_memory_id = $3)
),
noted as (
    insert into removals (organisation_id, user_id, version, kind, id, at)
    select $1::uuid, $2, $4::bigint, 'memory', id, $5::timestamptz from gone
    union all
    select $1, $2, $4, 'relationship', id, $5 from unlinked
),
forgotten_uses as (
    delete from accesses where organisation_id = $1 and user_id = $2 and memory_id = $3
),
forgotten_examples as (
    delete from ranking_examples
    where organisation_id = $1 and user_id = $2 and (memory_id = $3 or shown @> array[$3::uuid])
    returning 1
),
forgotten_weights as (
    update ranking_weights set weights = null, served = false
    where organisation_id = $1 and user_id = $2 and exists (select from forgotten_examples)
),
forgotten_outcomes as (
    delete from idempotency_keys where organisation_id = $1 and user_id = $2 and memory_ids @> array[$3::uuid]
),
forgotten_shared_answers as (
    delete from shared_answers where organisation_id = $1 and user_id = $2
),
forgotten_kept_answers as (
    delete from kept_answers where organisation_id = $1 and user_id = $2
)
select count(*) from gone;

-- judge_memory: Keep a judgement and move the helpfulness: towards the satisfaction by 0.3, else +0.1 or -0.05, and
-- never against what was said.
with before as (
    select coalesce(g.helpfulness, 0.5) as score
    from memories m
    left join memory_usage g
        on g.organisation_id = m.organisation_id and g.user_id = m.user_id and g.memory_id = m.id
    where m.organisation_id = $1 and m.user_id = $2 and m.id = $3 and m.archived_by is null
),
moved as (
    select score, case
        when $6::float8 is not null then 0.3::float8 * $6 + 0.7::float8 * score
        when $5 then score + 0.1::float8
        else score - 0.05::float8
    end as wanted
    from before
),
kept as (
    insert into feedback (organisation_id, user_id, version, memory_id, helpful, satisfaction, context, at)
    select $1, $2, $4, $3, $5, $6, $7, $8 from before
)
insert into memory_usage as g (organisation_id, user_id, memory_id, helpfulness)
select $1, $2, $3, least(greatest(case when $5 then greatest(wanted, score) else least(wanted, score) end, 0), 1)
from moved
on conflict (organisation_id, user_id, memory_id) do update set helpfulness = excluded.helpfulness
returning helpfulness;

-- relate: Write a relationship between two memories of the user; one of the same pair and type is replaced.
insert into relationships as r (
    organisation_id, user_id, id, version, memory_id, related_memory_id, type, strength, explanation, created_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
where (
    select count(*) from memories
    where organisation_id = $1 and user_id = $2 and id in ($5, $6) and archived_by is null
) = 2
on conflict (organisation_id, user_id, memory_id, related_memory_id, type) do update
    set version = excluded.version, strength = excluded.strength, explanation = excluded.explanation,
        archived_by = null
returning id, memory_id, related_memory_id, type, strength, explanation, created_at;

-- unrelate: Remove a relationship.
with gone as (
    delete from relationships where organisation_id = $1 and user_id = $2 and id = $3
    returning id, memory_id, related_memory_id, type, strength, explanation, created_at
),
noted as (
    insert into removals (organisation_id, user_id, version, kind, id, at)
    select $1, $2, $4, 'relationship', id, now() from gone
)
select id, memory_id, related_memory_id, type, strength, explanation, created_at from gone;
