-- quarantine_memories: Take up to $7 memories that match out of use by one action; what was said, used and learned of them
-- stays with them, and is not used.
with taken as (
    update memories m set archived_by = $3
    where m.organisation_id = $1 and m.user_id = $2 and m.id = any(array(
        select id from memories
        where organisation_id = $1 and user_id = $2 and archived_by is null
            and ($8::uuid[] is null or id = any($8))
            and ($9::uuid is null or batch_id = $9)
            and ($10::text is null or written_by = $10 or edited_by = $10)
            and ($11::text is null or source = $11)
        order by id
        limit $7
    ))
    returning m.id
),
unlinked as (
    update relationships set archived_by = $3
    where organisation_id = $1 and user_id = $2 and archived_by is null
        and (memory_id = any(array(select id from taken)) or related_memory_id = any(array(select id from taken)))
),
unlearned as (
    update ranking_examples set archived_by = $3
    where organisation_id = $1 and user_id = $2 and archived_by is null
        and (memory_id = any(array(select id from taken)) or shown && array(select id from taken))
    returning 1
),
unfitted as (
    update ranking_weights set weights = null, served = false
    where organisation_id = $1 and user_id = $2 and exists (select from unlearned)
),
noted as (
    insert into removals (organisation_id, user_id, version, kind, id, at)
    select $1, $2, $4, 'archive', id, $5 from taken
),
recorded as (
    insert into maintenance_actions (organisation_id, user_id, id, version, kind, at, memory_count, reason)
    select $1, $2, $3, $4, $6, $5, count(*), $12 from taken having count(*) > 0
)
select array(select id from taken order by id) as ids;

-- release_memories: Bring up to $5 matching memories back that are quarantined or rolled back. What joins them to others
-- that stay out of use waits for those. Whoever holds an older version reads everything, because the uses of the
-- memories come back with them.
with released as (
    select m.id, m.archived_by as action_id
    from memories m
    join maintenance_actions a
        on a.organisation_id = m.organisation_id and a.user_id = m.user_id and a.id = m.archived_by
    where m.organisation_id = $1 and m.user_id = $2 and m.archived_by is not null and a.kind in ('quarantine', 'rollback')
        and ($6::uuid[] is null or m.id = any($6))
        and ($7::uuid is null or m.batch_id = $7)
        and ($8::text is null or m.written_by = $8 or m.edited_by = $8)
        and ($9::text is null or m.source = $9)
    order by m.id
    limit $5
),
held as (
    select m.id, m.archived_by, a.kind in ('quarantine', 'rollback') as quarantined
    from memories m
    join maintenance_actions a
        on a.organisation_id = m.organisation_id and a.user_id = m.user_id and a.id = m.archived_by
    where m.organisation_id = $1 and m.user_id = $2 and m.archived_by is not null
        and m.id <> all(array(select id from released))
),
restored as (
    update memories m set archived_by = null, version = $3
    where m.organisation_id = $1 and m.user_id = $2 and m.id = any(array(select id from released))
),
relinked as (
    update relationships r
    set version = $3, archived_by = (
        select h.archived_by from held h where h.id in (r.memory_id, r.related_memory_id) limit 1)
    where r.organisation_id = $1 and r.user_id = $2 and r.archived_by = any(array(select action_id from released))
        and (r.memory_id = any(array(select id from released))
            or r.related_memory_id = any(array(select id from released)))
),
learned_again as (
    update ranking_examples e
    set archived_by = (
        select h.archived_by from held h
        where h.quarantined and (h.id = e.memory_id or h.id = any(e.shown))
        limit 1
    )
    where e.organisation_id = $1 and e.user_id = $2 and e.archived_by = any(array(select action_id from released))
    returning 1
),
unfitted as (
    update ranking_weights set weights = null, served = false
    where organisation_id = $1 and user_id = $2 and exists (select from learned_again)
),
ended as (
    update maintenance_actions a set undone_at = $4, version = $3
    where a.organisation_id = $1 and a.user_id = $2 and a.id = any(array(select action_id from released))
        and a.id <> all(array(select archived_by from held))
),
reloaded as (
    update users set complete_from = $3
    where organisation_id = $1 and user_id = $2 and exists (select from released)
)
select array(select id from released order by id) as ids;

-- read_quarantine: What is quarantined of a user, newest first, by what it was taken out of use, and why.
select m.id, m.text, m.source, m.created_at, m.trust, m.batch_id, m.written_by, m.written_via, m.edited_by,
    a.id as action_id, a.kind, a.at, a.reason
from memories m
join maintenance_actions a
    on a.organisation_id = m.organisation_id and a.user_id = m.user_id and a.id = m.archived_by
where m.organisation_id = $1 and m.user_id = $2 and m.archived_by is not null
    and a.kind in ('quarantine', 'rollback') and ($3::uuid is null or m.id < $3)
order by m.id desc
limit $4;

-- read_batches: What was written by one call or import each, newest first.
select batch_id, min(written_by) as written_by, min(written_via) as written_via, min(trust) as trust,
    min(created_at) as at, count(*) as memory_count, count(archived_by) as out_of_use
from memories
where organisation_id = $1 and user_id = $2 and batch_id is not null and ($3::uuid is null or batch_id < $3)
group by batch_id
order by batch_id desc
limit $4;
