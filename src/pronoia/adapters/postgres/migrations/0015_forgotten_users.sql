-- Forgetting leaves no name: the row that gives out versions becomes one without it.

-- Users who were forgotten, without their names: a process that still holds what they had learns from the version that
-- it is gone, and whoever comes back by the same name goes on counting from there.
create table forgotten_users (
    organisation_id uuid not null references organisations,
    digest bytea not null,
    memory_version bigint not null,
    activity bigint not null,
    primary key (organisation_id, digest)
);

create function user_digest(organisation_id uuid, user_id text) returns bytea
language sql immutable parallel safe
return sha256(convert_to(organisation_id::text || user_id, 'UTF8'));

-- What stands for a forgotten user where a name is asked for.
create function forgotten_name(organisation_id uuid, user_id text) returns text
language sql immutable parallel safe
return 'forgotten:' || encode(user_digest(organisation_id, user_id), 'hex');

alter table forgotten_users enable row level security;
alter table forgotten_users force row level security;
create policy tenant on forgotten_users to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on forgotten_users to current_user using (true) with check (true);
revoke all on forgotten_users from public;
grant select, insert, update, delete on forgotten_users to pronoia_app;

alter table idempotency_keys drop constraint idempotency_keys_organisation_id_user_id_fkey;

create or replace function begin_write(tenant uuid, person text, added integer, idempotency_key text)
returns table (version bigint, request_hash bytea, outcome bytea)
language plpgsql security invoker set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('role', 'pronoia_app', true), set_config('app.tenant', tenant::text, true);
    if idempotency_key is not null then
        select k.request_hash, k.outcome into request_hash, outcome
        from idempotency_keys k
        where k.organisation_id = tenant and k.user_id in (person, forgotten_name(tenant, person))
            and k.key = idempotency_key;
        if found then
            return next;
            return;
        end if;
    end if;
    insert into users as u (organisation_id, user_id, memory_version, complete_from, activity, memory_count)
    select tenant, person, coalesce(max(f.memory_version), 0) + 1, coalesce(max(f.memory_version), 0),
        coalesce(max(f.activity), 0), added
    from forgotten_users f
    where f.organisation_id = tenant and f.digest = user_digest(tenant, person)
    on conflict (organisation_id, user_id) do update
        set memory_version = u.memory_version + 1, memory_count = u.memory_count + added
    returning u.memory_version into version;
    if exists (
        select from idempotency_keys k
        where k.organisation_id = tenant and k.user_id in (person, forgotten_name(tenant, person))
            and k.key = idempotency_key
    ) then
        -- The same request was served while this one waited for the user's lock. Called again, it is answered so.
        raise exception 'idempotency key % is in use', idempotency_key using errcode = 'PRM01';
    end if;
    return next;
end $$;

create or replace function add_memories(
    tenant uuid, person text, resident_limit integer, ids uuid[], earlier uuid[], texts text[], sources text[],
    project_ids text[], tag_lists text[], metadata_objects text[], session_ids text[], agent_ids text[],
    speakers text[], occurrences timestamptz[], creations timestamptz[], term_lists bytea[], embedding_spaces text[],
    embeddings halfvec[], idempotency_key text, hash bytea, answer text
) returns table (version bigint, repeating uuid[], repeated uuid[], request_hash bytea, outcome bytea)
language plpgsql security invoker set plan_cache_mode = force_generic_plan as $$
declare
    count integer;
    state text;
begin
    perform set_config('role', 'pronoia_app', true), set_config('app.tenant', tenant::text, true);
    if idempotency_key is not null then
        select k.request_hash, k.outcome into request_hash, outcome
        from idempotency_keys k
        where k.organisation_id = tenant and k.user_id in (person, forgotten_name(tenant, person))
            and k.key = idempotency_key;
        if found then
            return next;
            return;
        end if;
    end if;
    insert into users as u (organisation_id, user_id, memory_version, complete_from, activity, memory_count)
    select tenant, person, coalesce(max(f.memory_version), 0) + 1, coalesce(max(f.memory_version), 0),
        coalesce(max(f.activity), 0), cardinality(ids)
    from forgotten_users f
    where f.organisation_id = tenant and f.digest = user_digest(tenant, person)
    on conflict (organisation_id, user_id) do update
        set memory_version = u.memory_version + 1, memory_count = u.memory_count + cardinality(ids)
    returning u.memory_version, u.memory_count, u.search_state into version, count, state;
    if state = 'exact' and count > resident_limit then
        update users u set search_state = 'indexing' where u.organisation_id = tenant and u.user_id = person;
        state := 'indexing';
    end if;
    with added as (
        insert into memories as m (
            organisation_id, user_id, id, version, created_version, created_at, updated_at, occurred_at, duplicate_of,
            approximate, embedding_space, text, source, project_id, session_id, agent_id, speaker, tags, metadata,
            terms, embedding)
        select tenant, person, i.id, add_memories.version, add_memories.version, i.created_at, i.created_at,
            i.occurred_at, coalesce(i.known, i.earlier), state <> 'exact', i.embedding_space, i.text, i.source,
            i.project_id, i.session_id, i.agent_id, i.speaker, i.tags::json, i.metadata::json, i.terms, i.embedding
        from unnest(
            ids, earlier_memories(person, texts), earlier, texts, sources, project_ids, tag_lists, metadata_objects,
            session_ids, agent_ids, speakers, occurrences, creations, term_lists, embedding_spaces, embeddings
        ) as i (
            id, known, earlier, text, source, project_id, tags, metadata, session_id, agent_id, speaker, occurred_at,
            created_at, terms, embedding_space, embedding)
        returning m.id, m.duplicate_of
    )
    select array_agg(a.id), array_agg(a.duplicate_of) into repeating, repeated
    from added a
    where a.duplicate_of is not null;
    insert into work (organisation_id, user_id, memory_id, kind)
    select tenant, person, i.id, k.kind
    from unnest(ids, embedding_spaces) as i (id, embedding_space)
    join (values ('link'), ('embed')) as k (kind) on k.kind = 'link' or i.embedding_space is null;
    if idempotency_key is not null then
        insert into idempotency_keys (organisation_id, user_id, key, request_hash, memory_ids, outcome)
        values (tenant, person, idempotency_key, hash, ids, convert_to(format(
            '{"version":%s,"duplicates":%s,"memories":%s}', version,
            coalesce(jsonb_object(repeating::text[], repeated::text[]), '{}'), answer), 'UTF8'))
        on conflict do nothing;
        if not found then
            -- As above.
            raise exception 'idempotency key % is in use', idempotency_key using errcode = 'PRM01';
        end if;
    end if;
    return next;
end $$;
