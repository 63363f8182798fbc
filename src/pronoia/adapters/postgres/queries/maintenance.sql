-- archive_memory: Take a memory and its relationships out of use by an action; $7 names one that has to be in use, if any.
with archived as (
    update memories set archived_by = $4
    where organisation_id = $1 and user_id = $2 and id = $3 and archived_by is null
        and ($7::uuid is null or exists (
            select from memories k
            where k.organisation_id = $1 and k.user_id = $2 and k.id = $7 and k.archived_by is null
        ))
    returning id
),
unlinked as (
    update relationships r set archived_by = $4
    from archived a
    where r.organisation_id = $1 and r.user_id = $2 and r.archived_by is null
        and (r.memory_id = a.id or r.related_memory_id = a.id)
),
noted as (
    insert into removals (organisation_id, user_id, version, kind, id, at)
    select $1, $2, $5, 'archive', id, $6 from archived
)
select count(*) from archived;

-- add_usage: Add the uses of memory $3 to those of memory $4; tell how many, and when that one was last used before.
with given as (
    select usage_count, last_accessed from memory_usage where organisation_id = $1 and user_id = $2 and memory_id = $3
),
before as (
    select last_accessed from memory_usage where organisation_id = $1 and user_id = $2 and memory_id = $4
),
added as (
    insert into memory_usage as g (organisation_id, user_id, memory_id, usage_count, last_accessed)
    select $1, $2, $4, usage_count, last_accessed from given
    on conflict (organisation_id, user_id, memory_id) do update
        set usage_count = g.usage_count + excluded.usage_count,
            last_accessed = greatest(g.last_accessed, excluded.last_accessed)
)
select
    coalesce((select usage_count from given), 0) as added_usage,
    (select last_accessed from before) as kept_last_accessed;

-- archive_relationship: Take a relationship out of use by an action.
with archived as (
    update relationships set archived_by = $4
    where organisation_id = $1 and user_id = $2 and id = $3 and archived_by is null
    returning id
),
noted as (
    insert into removals (organisation_id, user_id, version, kind, id, at)
    select $1, $2, $5, 'relationship', id, $6 from archived
)
select count(*) from archived;

-- note_action: Remember what was done, so that it can be undone.
insert into maintenance_actions (
    organisation_id, user_id, id, version, kind, at, memory_id, kept_memory_id, relationship_id, added_usage,
    kept_last_accessed)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- find_action: The action of an id, or the one that took a memory out of use, if it can be undone by its user.
select id, kind, at, memory_id, kept_memory_id, relationship_id, undone_at, added_usage, kept_last_accessed
from maintenance_actions
where organisation_id = $1 and user_id = $2 and kind not in ('quarantine', 'rollback') and (
    id = $3 or id = (select archived_by from memories where organisation_id = $1 and user_id = $2 and id = $4)
);

-- undo_action: Bring back what an action took out of use. A relationship whose other end is out of use as well waits for
-- that. Whoever holds an older version reads everything, because the uses of the memory come back with it.
with undone as (
    update maintenance_actions set undone_at = $5, version = $4
    where organisation_id = $1 and user_id = $2 and id = $3
    returning memory_id, kept_memory_id, added_usage, kept_last_accessed
),
restored as (
    update memories m set archived_by = null, version = $4
    where m.organisation_id = $1 and m.user_id = $2 and m.archived_by = $3
),
relinked as (
    update relationships r
    set version = $4, archived_by = (
        select other.archived_by from memories other
        where other.organisation_id = $1 and other.user_id = $2 and other.id in (r.memory_id, r.related_memory_id)
            and other.archived_by <> $3
        limit 1
    )
    where r.organisation_id = $1 and r.user_id = $2 and r.archived_by = $3
),
taken_back as (
    update memory_usage g
    set usage_count = greatest(g.usage_count - u.added_usage, 0),
        last_accessed = case
            when g.last_accessed is not distinct from given.last_accessed then u.kept_last_accessed
            else g.last_accessed
        end
    from undone u
    join memory_usage given
        on given.organisation_id = $1 and given.user_id = $2 and given.memory_id = u.memory_id
    where g.organisation_id = $1 and g.user_id = $2 and g.memory_id = u.kept_memory_id
)
update users set complete_from = $4
where organisation_id = $1 and user_id = $2 and exists (select from undone where memory_id is not null);

-- read_actions: What was done by its user, newest first.
select id, kind, at, memory_id, kept_memory_id, relationship_id, undone_at
from maintenance_actions
where organisation_id = $1 and user_id = $2 and kind not in ('quarantine', 'rollback')
order by id desc
limit $3;

-- expired_actions: Actions of any tenant from before a time, oldest first; memory_id if the memory is still out of use.
select organisation_id, user_id, id, memory_id from expired_actions($1, $2);

-- purge_action: Forget an action, and the relationship that it took out of use.
with gone as (
    delete from relationships where organisation_id = $1 and user_id = $2 and archived_by = $3
)
delete from maintenance_actions where organisation_id = $1 and user_id = $2 and id = $3;
