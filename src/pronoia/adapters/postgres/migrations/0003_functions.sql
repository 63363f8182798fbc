-- Steps into the tenant, locks the user and takes the version that this write will be known by. With an idempotency
-- key that was used before it does neither and gives what was answered then.
create function begin_write(tenant uuid, person text, added integer, idempotency_key text)
returns table (version bigint, request_hash bytea, outcome bytea)
language plpgsql security invoker set plan_cache_mode = force_generic_plan as $$
begin
    perform set_config('role', 'pronoia_app', true), set_config('app.tenant', tenant::text, true);
    if idempotency_key is not null then
        select k.request_hash, k.outcome into request_hash, outcome
        from idempotency_keys k
        where k.organisation_id = tenant and k.user_id = person and k.key = idempotency_key;
        if found then
            return next;
            return;
        end if;
    end if;
    insert into users as u (organisation_id, user_id, memory_version, memory_count)
    values (tenant, person, 1, added)
    on conflict (organisation_id, user_id) do update
        set memory_version = u.memory_version + 1, memory_count = u.memory_count + added
    returning u.memory_version into version;
    if exists (
        select from idempotency_keys k
        where k.organisation_id = tenant and k.user_id = person and k.key = idempotency_key
    ) then
        -- The same request was served while this one waited for the user's lock. Called again, it is answered so.
        raise exception 'idempotency key % is in use', idempotency_key using errcode = 'PRM01';
    end if;
    return next;
end $$;

-- The oldest memory of each text that the user has; null for a new text. It runs as the owner, because under row-level
-- security an index may not be searched by a function, and asks for the digest before the rest, so that no other index
-- can be mistaken for the right one.
create function earlier_memories(person text, texts text[]) returns uuid[]
language sql stable security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    select array(
        select (
            select found.id
            from (
                select m.id, m.organisation_id, m.user_id, m.created_at
                from memories m
                where text_digest(m.organisation_id, m.user_id, m.text) = text_digest(current_tenant(), person, given.text)
                    and m.text = given.text
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

-- The memories and relationships of the user that changed after a version. It runs as the owner for the same reason.
create function changed_after(person text, since bigint) returns table (memories uuid[], relationships uuid[])
language sql stable security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    select
        array(
            select found.id
            from (
                select m.id, m.organisation_id, m.user_id
                from memories m
                where owner_digest(m.organisation_id, m.user_id) = owner_digest(current_tenant(), person)
                    and m.version > since
                offset 0
            ) found
            where found.organisation_id = current_tenant() and found.user_id = person
        ),
        array(
            select found.id
            from (
                select r.id, r.organisation_id, r.user_id
                from relationships r
                where owner_digest(r.organisation_id, r.user_id) = owner_digest(current_tenant(), person)
                    and r.version > since
                offset 0
            ) found
            where found.organisation_id = current_tenant() and found.user_id = person
        )
$$;

-- Stores memories in one call, because a write that waits for the network between its statements keeps its user's lock
-- meanwhile. With an idempotency key that was used before it writes nothing and gives what was answered then. `earlier`
-- names for each memory the first one of the same text in this call; `answer` is the memories as they are kept with
-- the key.
create function add_memories(
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
        where k.organisation_id = tenant and k.user_id = person and k.key = idempotency_key;
        if found then
            return next;
            return;
        end if;
    end if;
    insert into users as u (organisation_id, user_id, memory_version, memory_count)
    values (tenant, person, 1, cardinality(ids))
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

-- Adds two counts by context; at most 50 contexts are kept, those known before first.
create function merge_contexts(known jsonb, added jsonb) returns jsonb
language sql immutable parallel safe
return (
    select coalesce(jsonb_object_agg(name, total), '{}')
    from (
        select name, sum(times) as total
        from (
            select key as name, value::bigint as times, 0 as place from jsonb_each_text(known)
            union all
            select key, value::bigint, 1 from jsonb_each_text(added)
        ) counts
        group by name
        order by min(place), total desc, name
        limit 50
    ) kept
);

-- Appends uses of many users at once, counts them, and gives each user's activity after it. Uses of memories that are
-- gone are dropped. Only get and recall count as use; the others are events for prediction.
create function record_accesses(
    tenants uuid[], people text[], memory_ids uuid[], kinds text[], times timestamptz[], contexts text[]
) returns table (organisation_id uuid, user_id text, activity bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    -- In one order: two batches about the same users would otherwise each wait for the other.
    perform from users u
    where (u.organisation_id, u.user_id) in (select distinct * from unnest(tenants, people))
    order by u.organisation_id, u.user_id
    for no key update;
    return query
    with event as (
        select u.organisation_id, u.user_id, e.memory_id, e.kind, e.at, e.context,
            u.activity + row_number() over (partition by u.organisation_id, u.user_id order by e.place) as activity
        from unnest(tenants, people, memory_ids, kinds, times, contexts)
            with ordinality as e (organisation_id, user_id, memory_id, kind, at, context, place)
        join users u on u.organisation_id = e.organisation_id and u.user_id = e.user_id
        join memories m
            on m.organisation_id = e.organisation_id and m.user_id = e.user_id and m.id = e.memory_id
    ),
    logged as (
        insert into accesses (organisation_id, user_id, activity, memory_id, kind, at, context)
        select organisation_id, user_id, activity, memory_id, kind, at, context from event
    ),
    counted as (
        select organisation_id, user_id, memory_id, context, count(*) as times, max(at) as last_accessed
        from event
        where kind in ('get', 'recall')
        group by organisation_id, user_id, memory_id, context
    ),
    used as (
        insert into memory_usage as g (organisation_id, user_id, memory_id, usage_count, last_accessed, contexts)
        select organisation_id, user_id, memory_id, sum(times), max(last_accessed), merge_contexts(
            '{}', coalesce(jsonb_object_agg(context, times) filter (where context is not null), '{}'))
        from counted
        group by organisation_id, user_id, memory_id
        on conflict (organisation_id, user_id, memory_id) do update
            set usage_count = g.usage_count + excluded.usage_count,
                last_accessed = greatest(g.last_accessed, excluded.last_accessed),
                contexts = case when excluded.contexts = '{}' then g.contexts
                    else merge_contexts(g.contexts, excluded.contexts) end
    ),
    advanced as (
        update users u set activity = newest.activity
        from (
            select organisation_id, user_id, max(activity) as activity from event group by organisation_id, user_id
        ) newest
        where u.organisation_id = newest.organisation_id and u.user_id = newest.user_id
        returning u.organisation_id, u.user_id, u.activity
    )
    select asked.organisation_id, asked.user_id, coalesce(a.activity, u.activity, 0)
    from (select distinct * from unnest(tenants, people)) asked (organisation_id, user_id)
    left join users u on u.organisation_id = asked.organisation_id and u.user_id = asked.user_id
    left join advanced a on a.organisation_id = asked.organisation_id and a.user_id = asked.user_id;
end $$;

-- Hands out work of any tenant for some time. Work that keeps failing waits twice as long each time, up to 64 times.
create function claim_work(wanted text, maximum integer, lease interval)
returns table (organisation_id uuid, user_id text, memory_ids uuid[])
language sql volatile security definer set search_path = public, pg_temp as $$
    with chosen as (
        select w.organisation_id, w.user_id, w.memory_id
        from work w
        where w.kind = wanted and w.available_at <= now()
        order by w.available_at
        limit maximum
        for update skip locked
    ),
    leased as (
        update work w
        set available_at = now() + lease * power(2, least(w.attempts, 6)), attempts = w.attempts + 1
        from chosen c
        where w.organisation_id = c.organisation_id and w.user_id = c.user_id and w.memory_id = c.memory_id
            and w.kind = wanted
        returning w.organisation_id, w.user_id, w.memory_id
    )
    select organisation_id, user_id, array_agg(memory_id order by memory_id) from leased group by 1, 2 order by 1, 2
$$;

-- The key that a request names before anyone knows its organisation.
create function find_key(wanted text) returns setof api_keys
language sql stable security definer set search_path = public, pg_temp as $$
    select * from api_keys where id = wanted order by created_at limit 1
$$;

-- Users whose rows are still being put into the shared indexes.
create function users_to_index(maximum integer) returns table (organisation_id uuid, user_id text)
language sql stable security definer set search_path = public, pg_temp as $$
    select organisation_id, user_id from users where search_state = 'indexing' limit maximum
$$;

-- Forgets outcomes that nobody may ask for any more.
create function purge_idempotency_keys(age interval, maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp as $$
    with expired as (
        select organisation_id, user_id, key from idempotency_keys
        where created_at < now() - age
        order by created_at
        limit maximum
        for update skip locked
    ),
    purged as (
        delete from idempotency_keys k using expired e
        where k.organisation_id = e.organisation_id and k.user_id = e.user_id and k.key = e.key
        returning 1
    )
    select count(*) from purged
$$;

revoke execute on function
    earlier_memories, changed_after, record_accesses, claim_work, find_key, users_to_index, purge_idempotency_keys
    from public;
grant execute on function
    earlier_memories, changed_after, record_accesses, claim_work, find_key, users_to_index, purge_idempotency_keys
    to pronoia_app;
