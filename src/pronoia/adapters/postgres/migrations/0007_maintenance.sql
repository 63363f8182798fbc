-- The action that took the row out of use; null for what is in use.
alter table memories add column archived_by uuid;
alter table relationships add column archived_by uuid;
create index memories_archived on memories (organisation_id, user_id) where archived_by is not null;
alter table removals drop constraint removals_kind_check;
alter table removals add constraint removals_kind_check check (kind in ('memory', 'relationship', 'archive'));

-- What maintenance did to a user's memory, so that it can be undone. Merging and archiving leave the memory where it is,
-- marked with the action that took it out of use; so does removing a link. What is purged takes its action with it.
create table maintenance_actions (
    organisation_id uuid not null,
    user_id text not null,
    id uuid not null,
    version bigint not null,
    kind text not null check (kind in ('merge', 'archive', 'remove_link')),
    memory_id uuid,
    kept_memory_id uuid,
    relationship_id uuid,
    -- What a merge added to the uses of the memory that stays, and when that one was last used before.
    added_usage integer not null default 0,
    kept_last_accessed timestamptz,
    at timestamptz not null,
    undone_at timestamptz,
    primary key (organisation_id, user_id, id),
    foreign key (organisation_id, user_id, memory_id) references memories on delete cascade,
    foreign key (organisation_id, user_id, kept_memory_id) references memories on delete set null (kept_memory_id),
    foreign key (organisation_id, user_id, relationship_id) references relationships on delete cascade,
    check ((relationship_id is null) <> (memory_id is null)),
    check (kind = 'merge' or kept_memory_id is null)
);
create index maintenance_actions_at on maintenance_actions (at);
create index maintenance_actions_memory on maintenance_actions (organisation_id, user_id, memory_id);
create index maintenance_actions_kept on maintenance_actions (organisation_id, user_id, kept_memory_id);
create index maintenance_actions_relationship on maintenance_actions (organisation_id, user_id, relationship_id);
alter table maintenance_actions enable row level security;
alter table maintenance_actions force row level security;
create policy tenant on maintenance_actions to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on maintenance_actions to current_user using (true) with check (true);
revoke all on maintenance_actions from public;
grant select, insert, update, delete on maintenance_actions to pronoia_app;

-- Actions of any tenant from before a time, oldest first.
create function expired_actions(before timestamptz, maximum integer)
returns table (organisation_id uuid, user_id text, id uuid, memory_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select a.organisation_id, a.user_id, a.id, case when a.undone_at is null then a.memory_id end
    from maintenance_actions a
    where a.at < before
    order by a.at
    limit maximum
$$;
revoke all on function expired_actions from public;
grant execute on function expired_actions to pronoia_app;

-- The oldest memory of each text that the user has in use; null for a new text. It runs as the owner, because under row-level
-- security an index may not be searched by a function, and asks for the digest before the rest, so that no other index
-- can be mistaken for the right one.
create or replace function earlier_memories(person text, texts text[]) returns uuid[]
language sql stable security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    select array(
        select (
            select found.id
            from (
                select m.id, m.organisation_id, m.user_id, m.created_at
                from memories m
                where text_digest(m.organisation_id, m.user_id, m.text) = text_digest(current_tenant(), person, given.text)
                    and m.text = given.text and m.archived_by is null
                order by m.created_at, m.id
                offset 0
            ) found
            where found.organisation_id = current_tenant() and found.user_id = person
            order by found.created_at, found.id
            limit 1
        )
        from unnest(texts) with ordinality as given (text, place)
        order by given.place
    )
$$;
