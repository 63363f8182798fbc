-- What erasing a person leaves, which memories their projects have kept long enough, and nothing personal in the planner's statistics.

-- What the digests of erased people are keyed with, and their receipts sealed. It is made with the organisation, so that
-- every backup has it: a ledger that was kept elsewhere can be matched with what was restored.
alter table organisations add column erasure_key bytea not null
    default sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- Receipts of erasures. `subject` is a keyed digest of the name; `noted_at` is when the receipt was written into the
-- ledger outside of the database.
create table erasures (
    organisation_id uuid not null references organisations,
    id uuid not null,
    subject bytea not null,
    erased_at timestamptz not null,
    counts json not null,
    seal bytea not null,
    noted_at timestamptz,
    primary key (organisation_id, id)
);
create index erasures_to_note on erasures (erased_at) where noted_at is null;

-- Small, since what is written together was created together: old memories are looked for once an hour.
create index memories_created_at on memories using brin (created_at);

alter table erasures enable row level security;
alter table erasures force row level security;
create policy tenant on erasures to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on erasures to current_user using (true) with check (true);
revoke all on erasures from public;
grant select, insert, update, delete on erasures to pronoia_app;

-- Receipts of any tenant that are not in the ledger outside yet, oldest first.
create function erasures_to_note(maximum integer) returns setof erasures
language sql stable security definer set search_path = public, pg_temp as $$
    select * from erasures where noted_at is null order by erased_at limit maximum
$$;

create function note_erasures(tenants uuid[], ids uuid[], moment timestamptz) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    update erasures e set noted_at = moment
    from unnest(tenants, ids) as noted (organisation_id, id)
    where e.organisation_id = noted.organisation_id and e.id = noted.id
$$;

-- Memories of any tenant that are older than their project keeps them.
create function expired_memories(moment timestamptz, maximum integer)
returns table (organisation_id uuid, user_id text, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select m.organisation_id, m.user_id, m.id
    from projects p
    join memories m on m.created_at < moment - make_interval(days => p.retention_days)
        and m.organisation_id = p.organisation_id and m.project_id = p.project_id
    limit maximum
$$;
revoke execute on function erasures_to_note, note_erasures, expired_memories from public;
grant execute on function erasures_to_note, note_erasures, expired_memories to pronoia_app;

-- The planner keeps samples of what it counts, beyond the life of a row. No plan depends on these columns.
alter table memories
    alter column text set statistics 0, alter column speaker set statistics 0, alter column session_id set statistics 0,
    alter column agent_id set statistics 0, alter column terms set statistics 0, alter column embedding set statistics 0;
alter index memories_embedding_256 alter column 1 set statistics 0;
alter index memories_words alter column 1 set statistics 0;
alter table memory_usage alter column contexts set statistics 0;
alter table accesses alter column context set statistics 0;
alter table feedback alter column context set statistics 0;
alter table relationships alter column explanation set statistics 0;
alter table memory_revisions alter column old_text set statistics 0, alter column new_text set statistics 0;
alter table ranking_examples alter column query set statistics 0;
alter table idempotency_keys alter column outcome set statistics 0;
alter table shared_answers alter column value set statistics 0;
alter table kept_answers alter column value set statistics 0;
