-- Where each memory came from and how far it may be believed; and quarantine, which is an archive that does not expire.

alter table api_keys add column trust smallint not null default 2 check (trust between 0 and 2);

alter table memories
    add column trust smallint not null default 2 check (trust between 0 and 2),
    add column batch_id uuid,
    add column written_by text,
    add column written_via text,
    add column edited_by text;

alter table ranking_examples add column archived_by uuid;

alter table maintenance_actions
    add column memory_count integer not null default 0,
    add column reason text,
    drop constraint maintenance_actions_kind_check,
    drop constraint maintenance_actions_check,
    drop constraint maintenance_actions_check1;
alter table maintenance_actions
    add constraint maintenance_actions_kind_check
        check (kind in ('merge', 'archive', 'remove_link', 'quarantine', 'rollback')),
    add constraint maintenance_actions_check
        check ((kind in ('quarantine', 'rollback')) = (relationship_id is null and memory_id is null)),
    add constraint maintenance_actions_check1 check (relationship_id is null or memory_id is null),
    add constraint maintenance_actions_check2 check (kind = 'merge' or kept_memory_id is null);

-- Actions of any tenant from before a time, oldest first, a row for each memory that is still out of use by it. What is
-- quarantined stays until it is released or deleted.
create or replace function expired_actions(before timestamptz, maximum integer)
returns table (organisation_id uuid, user_id text, id uuid, memory_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select a.organisation_id, a.user_id, a.id, coalesce(case when a.undone_at is null then a.memory_id end, m.id)
    from maintenance_actions a
    left join lateral (
        select held.id from memories held
        where held.organisation_id = a.organisation_id and held.user_id = a.user_id and held.archived_by = a.id
            and a.kind in ('quarantine', 'rollback')
    ) m on true
    where a.at < before and (a.kind <> 'quarantine' or m.id is null)
    order by a.at
    limit maximum
$$;

drop function add_memories;

-- Stores memories in one call, because a write that waits for the network between its statements keeps its user's lock
-- meanwhile. With an idempotency key that was used before it writes nothing and gives what was answered then. `earlier`
-- names for each memory the first one of the same text in this call; `answer` is the memories as they are kept with
-- the key.
create function add_memories(
    tenant uuid, person text, resident_limit integer, ids uuid[], earlier uuid[], texts text[], sources text[],
    project_ids text[], tag_lists text[], metadata_objects text[], session_ids text[], agent_ids text[],
    speakers text[], occurrences timestamptz[], creations timestamptz[], term_lists bytea[], embedding_spaces text[],
    embeddings halfvec[], trusts smallint[], batch uuid, writer text, route text, idempotency_key text, hash bytea,
    answer text
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
            terms, embedding, trust, batch_id, written_by, written_via)
        select tenant, person, i.id, add_memories.version, add_memories.version, i.created_at, i.created_at,
            i.occurred_at, coalesce(i.known, i.earlier), state <> 'exact', i.embedding_space, i.text, i.source,
            i.project_id, i.session_id, i.agent_id, i.speaker, i.tags::json, i.metadata::json, i.terms, i.embedding,
            i.trust, batch, writer, route
        from unnest(
            ids, earlier_memories(person, texts), earlier, texts, sources, project_ids, tag_lists, metadata_objects,
            session_ids, agent_ids, speakers, occurrences, creations, term_lists, embedding_spaces, embeddings, trusts
        ) as i (
            id, known, earlier, text, source, project_id, tags, metadata, session_id, agent_id, speaker, occurred_at,
            created_at, terms, embedding_space, embedding, trust)
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

drop function search_candidates;

-- The ids of up to `maximum` memories near the vector and up to `maximum` that share words, for the largest users.
-- It runs as the owner: under row-level security full-text search cannot use its index, because `@@` may not see a row
-- before the policy has. So the tenant is part of each query here, and is the one that the transaction stepped into.
create function search_candidates(
    person text, space text, query halfvec, words text, wanted_project text, wanted_tags jsonb, wanted_source text,
    wanted_session text, wanted_agent text, after timestamptz, before timestamptz, wanted_metadata jsonb,
    maximum integer, least_trust smallint
) returns setof uuid
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
    tenant constant uuid := current_tenant();
    found_near integer := 0;
    indexed constant boolean := exists (
        select from users u where u.organisation_id = tenant and u.user_id = person and u.search_state = 'indexed');
    every_word constant tsquery := plainto_tsquery('english', words);
    any_word constant tsquery := replace(every_word::text, '&', '|')::tsquery;
    matches constant text :=
        'organisation_id = $1 and user_id = $2 '
        'and ($3 is null or project_id = $3) and ($4 is null or tags::jsonb @> $4) and ($5 is null or source = $5) '
        'and ($6 is null or session_id = $6) and ($7 is null or agent_id = $7) '
        'and ($8 is null or created_at > $8) and ($9 is null or created_at < $9) '
        'and ($10 is null or metadata::jsonb @> $10) and ($11 is null or trust >= $11)' || case when indexed then ' and approximate' else '' end;
begin
    -- Without it a scan of the shared index ends after its first rows, which may all belong to others.
    perform set_config('hnsw.iterative_scan', 'strict_order', true),
        set_config('hnsw.max_scan_tuples', '100000', true),
        set_config('hnsw.ef_search', least(greatest(maximum, 40), 1000)::text, true);
    if query is not null and indexed then
        return query execute format(
            'select id from memories where %1$s and embedding_space = $12 and vector_dims(embedding) = %2$s '
            'order by (embedding::halfvec(%2$s)) <#> $13 limit $14', matches, vector_dims(query))
        using tenant, person, wanted_project, wanted_tags, wanted_source, wanted_session, wanted_agent, after, before,
            wanted_metadata, least_trust, space, query, maximum;
        get diagnostics found_near = row_count;
    end if;
    if query is not null and found_near < maximum then
        -- Nobody else's rows are read here. The shared index may end before it has been everywhere, as when rows that
        -- resemble each other lie far from all others; and where few rows match, reading these is the shorter way.
        return query execute format(
            'select id from (select id, embedding from memories '
            'where %1$s and embedding_space = $12 and vector_dims(embedding) = %2$s offset 0) mine '
            'order by (embedding::halfvec(%2$s)) <#> $13 limit $14', matches, vector_dims(query))
        using tenant, person, wanted_project, wanted_tags, wanted_source, wanted_session, wanted_agent, after, before,
            wanted_metadata, least_trust, space, query, maximum;
    end if;
    if numnode(every_word) > 0 then
        -- Ranking reads the text again, so only the newest of very many matches are ranked; and while a user is not
        -- indexed yet, only the newest memories are looked at.
        return query execute format(
            'with matched as ('
            '(select id, text from %1$s where %2$s and to_tsvector(''english'', text) @@ $12 order by id desc limit 500)'
            ' union '
            '(select id, text from %1$s where %2$s and to_tsvector(''english'', text) @@ $13 order by id desc limit 500)'
            ') select id from matched '
            'order by ts_rank_cd(to_tsvector(''english'', text), $13) desc, id desc limit $14',
            case when indexed then 'memories' else
                '(select * from memories where organisation_id = $1 and user_id = $2 order by id desc limit 2000) m'
            end, matches)
        using tenant, person, wanted_project, wanted_tags, wanted_source, wanted_session, wanted_agent, after, before,
            wanted_metadata, least_trust, every_word, any_word, maximum;
    end if;
end $$;

revoke execute on function search_candidates from public;
grant execute on function search_candidates to pronoia_app;
