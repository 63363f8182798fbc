-- The whole schema, as it is after all migrations; a test proves that the two are equal. It is one file, however long,
-- so that it can be read whole.

-- Every primary, unique and foreign key begins with organisation_id, so the same tables can be sharded by it.
-- Whoever writes a user's memory first locks the user's row, so versions are given out in the order of commits.

create table organisations (
    organisation_id uuid primary key,
    created_at timestamptz not null default now(),
    name text not null default '',
    -- What the digests of erased people are keyed with, and their receipts sealed. It is made with the organisation, so
    -- that every backup has it: a ledger that was kept elsewhere can be matched with what was restored.
    erasure_key bytea not null default sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);

create table api_keys (
    organisation_id uuid not null references organisations,
    id text not null,
    user_id text,
    permissions text[] not null,
    plan text not null,
    secret_hash bytea not null,
    created_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz,
    expires_at timestamptz,
    -- The secret that a rotation replaced, and until when it works beside the new one.
    previous_secret_hash bytea,
    previous_valid_until timestamptz,
    -- Of what it writes: 0 untrusted, 1 unverified, 2 trusted.
    trust smallint not null default 2 check (trust between 0 and 2),
    primary key (organisation_id, id)
);
-- A key arrives before its organisation is known.
create index api_keys_id on api_keys (id);

create table users (
    organisation_id uuid not null references organisations,
    user_id text not null,
    memory_version bigint not null default 0,
    -- The lowest version from which changes can be told one by one; whoever holds an older one reads everything.
    complete_from bigint not null default 0,
    activity bigint not null default 0,
    memory_count integer not null default 0,
    -- exact: search reads all memories of the user; indexing: rows are being put into the shared indexes; indexed.
    search_state text not null default 'exact' check (search_state in ('exact', 'indexing', 'indexed')),
    created_at timestamptz not null default now(),
    -- The lowest activity from which uses can be told one by one: older ones may have been forgotten.
    uses_complete_from bigint not null default 0,
    -- Stands for the user in the audit log. It is drawn by chance, and gone when the user is forgotten.
    pseudonym uuid not null default gen_random_uuid(),
    primary key (organisation_id, user_id)
) with (fillfactor = 70);
create index users_indexing on users (organisation_id, user_id) where search_state = 'indexing';

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

create table projects (
    organisation_id uuid not null references organisations,
    project_id text not null,
    retention_days integer check (retention_days > 0),
    created_at timestamptz not null,
    archived_at timestamptz,
    primary key (organisation_id, project_id)
);

-- By digest, because a role outlives its user: whoever was forgotten and comes back may do no more than before.
create table user_roles (
    organisation_id uuid not null references organisations,
    digest bytea not null,
    role text not null check (role in ('admin', 'member', 'reader')),
    primary key (organisation_id, digest)
);

-- Whose row it is, in 32 bits.
create function owner_digest(organisation_id uuid, user_id text) returns bigint
language sql immutable parallel safe
return hashtext(organisation_id::text || user_id)::bigint;

-- An encrypted text begins with a mark that no given text may begin with.
create function is_encrypted(text text) returns boolean
language sql immutable parallel safe
return left(text, 11) = E'\x1epronoia:1:';

-- What two texts of a user must have in common to be the same: all, or if encrypted the keyed digest behind the mark.
create function text_identity(text text) returns text
language sql immutable parallel safe
return case when is_encrypted(text) then left(text, 33) else text end;

-- The same in the upper half, so that a user's entries lie together in an index, and the text in the lower.
create function text_digest(organisation_id uuid, user_id text, text text) returns bigint
language sql immutable parallel safe
return (owner_digest(organisation_id, user_id) << 32) | (hashtext(text_identity(text))::bigint & 4294967295);

create table memories (
    organisation_id uuid not null,
    user_id text not null,
    id uuid not null,
    version bigint not null,
    created_version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    occurred_at timestamptz,
    duplicate_of uuid,
    analyzer smallint not null default 1,
    -- Whether the row is in the shared indexes below: only rows of the largest users are, so others never pay.
    approximate boolean not null default false,
    embedding_space text,
    text text not null,
    source text not null,
    project_id text not null,
    session_id text,
    agent_id text,
    speaker text,
    -- As they were given: jsonb would put keys into another order.
    tags json not null,
    metadata json not null,
    terms bytea not null,
    embedding halfvec,
    -- The action of maintenance that took the row out of use; null for what is in use.
    archived_by uuid,
    -- 0 untrusted, 1 unverified, 2 trusted; and by which key, route and call or import it was written. No index leads to
    -- a batch: whoever looks for one reads the rows of one user.
    trust smallint not null default 2 check (trust between 0 and 2),
    batch_id uuid,
    written_by text,
    written_via text,
    -- The key that changed it last.
    edited_by text,
    primary key (organisation_id, user_id, id),
    foreign key (organisation_id, user_id) references users,
    check ((embedding is null) = (embedding_space is null))
);
-- Neither begins as the primary key does. Before a new table has statistics the planner takes any index that begins with
-- organisation and user for as good as the right one, and a search for an id would read all memories of the user.
create index memories_version on memories (owner_digest(organisation_id, user_id), version);
create index memories_text on memories (text_digest(organisation_id, user_id, text), created_at, id);
create index memories_embedding_256 on memories using hnsw ((embedding::halfvec(256)) halfvec_ip_ops)
    where approximate and vector_dims(embedding) = 256;
create index memories_words on memories using gin (to_tsvector('english', text)) where approximate;
create index memories_archived on memories (organisation_id, user_id) where archived_by is not null;
-- Small, since what is written together was created together: old memories are looked for once an hour.
create index memories_created_at on memories using brin (created_at);

-- One row for a memory that was ever used or judged. No index beside the key, so counting stays within the page.
create table memory_usage (
    organisation_id uuid not null,
    user_id text not null,
    memory_id uuid not null,
    usage_count integer not null default 0,
    last_accessed timestamptz,
    helpfulness double precision not null default 0.5 check (helpfulness between 0 and 1),
    contexts jsonb not null default '{}',
    primary key (organisation_id, user_id, memory_id),
    foreign key (organisation_id, user_id, memory_id) references memories on delete cascade
) with (fillfactor = 70);

-- Append-only, in the order in which the user's uses were written. Deleted with the memory, by hand: a foreign key
-- would be checked for each of thousands of rows a second.
create table accesses (
    organisation_id uuid not null,
    user_id text not null,
    activity bigint not null,
    memory_id uuid not null,
    kind text not null check (kind in ('get', 'recall', 'feedback', 'write')),
    at timestamptz not null,
    context text,
    primary key (organisation_id, user_id, activity)
);

create table feedback (
    organisation_id uuid not null,
    user_id text not null,
    version bigint not null,
    memory_id uuid not null,
    helpful boolean not null,
    satisfaction double precision check (satisfaction between 0 and 1),
    context text,
    at timestamptz not null,
    primary key (organisation_id, user_id, version),
    foreign key (organisation_id, user_id, memory_id) references memories on delete cascade
);
create index feedback_memory on feedback (organisation_id, user_id, memory_id);

create table relationships (
    organisation_id uuid not null,
    user_id text not null,
    id uuid not null,
    version bigint not null,
    memory_id uuid not null,
    related_memory_id uuid not null,
    type text not null check (type in ('related_to', 'caused_by', 'similar_to', 'follows', 'contradicts')),
    strength double precision not null check (strength between 0 and 1),
    explanation text not null,
    created_at timestamptz not null,
    archived_by uuid,
    primary key (organisation_id, user_id, id),
    unique (organisation_id, user_id, memory_id, related_memory_id, type),
    foreign key (organisation_id, user_id, memory_id) references memories on delete cascade,
    foreign key (organisation_id, user_id, related_memory_id) references memories on delete cascade
);
create index relationships_related on relationships (organisation_id, user_id, related_memory_id);
create index relationships_version on relationships (owner_digest(organisation_id, user_id), version);

-- What was deleted, so that others can be told; never what it said.
create table removals (
    organisation_id uuid not null,
    user_id text not null,
    version bigint not null,
    -- An archived memory is out of use, and may come back.
    kind text not null check (kind in ('memory', 'relationship', 'archive')),
    id uuid not null,
    at timestamptz not null,
    primary key (organisation_id, user_id, version, kind, id),
    foreign key (organisation_id, user_id) references users
);

-- The updates of a memory. Texts are null where the update left the text alone.
create table memory_revisions (
    organisation_id uuid not null,
    user_id text not null,
    memory_id uuid not null,
    version bigint not null,
    at timestamptz not null,
    old_text text,
    new_text text,
    primary key (organisation_id, user_id, memory_id, version),
    foreign key (organisation_id, user_id, memory_id) references memories on delete cascade
);

-- What a write with an Idempotency-Key answered; of a forgotten user, under forgotten_name(). memory_ids are the memories whose text the outcome repeats.
create table idempotency_keys (
    organisation_id uuid not null,
    user_id text not null,
    key text not null,
    request_hash bytea not null,
    memory_ids uuid[] not null,
    outcome bytea not null,
    created_at timestamptz not null default now(),
    primary key (organisation_id, user_id, key)
);
create index idempotency_keys_created_at on idempotency_keys (created_at);

-- What is left to do for a memory. attempts counts the claims since it was queued: 0 means nobody has begun.
create table work (
    organisation_id uuid not null,
    user_id text not null,
    memory_id uuid not null,
    kind text not null check (kind in ('embed', 'link')),
    available_at timestamptz not null default now(),
    attempts integer not null default 0,
    primary key (organisation_id, user_id, memory_id, kind),
    foreign key (organisation_id, user_id, memory_id) references memories on delete cascade
);
create index work_available_at on work (kind, available_at);

-- Statements run as pronoia_app, which sees the rows of the organisation in app.tenant and nothing else. A setting that
-- was never made is null and one that was reset is empty; both see no row. The owner sees all rows, so that the few
-- functions it lends to pronoia_app can work across organisations; forcing makes that an explicit policy.

create function current_tenant() returns uuid
language sql stable parallel safe
return nullif(current_setting('app.tenant', true), '')::uuid;

do $$
declare
    name text;
begin
    foreach name in array array[
        'organisations', 'api_keys', 'users', 'memories', 'memory_usage', 'accesses', 'feedback', 'relationships',
        'removals', 'memory_revisions', 'idempotency_keys', 'work',
        'projects', 'user_roles'
    ] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant on %I to pronoia_app '
            'using (organisation_id = current_tenant()) with check (organisation_id = current_tenant())', name);
        execute format('create policy owner on %I to current_user using (true) with check (true)', name);
        execute format('revoke all on %I from public', name);
        execute format('grant select, insert, update, delete on %I to pronoia_app', name);
    end loop;
end $$;

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

-- The oldest memory of each text that the user has in use; null for a new text. It runs as the owner, because under row-level
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
                    and text_identity(m.text) = text_identity(given.text) and m.archived_by is null
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
        -- A scalar subquery, not a join: a join may be planned as reading all the user's memories once a use.
        where (select true from memories m
            where m.organisation_id = e.organisation_id and m.user_id = e.user_id and m.id = e.memory_id)
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
returns table (organisation_id uuid, user_id text, memory_ids uuid[], leases timestamptz[])
language sql volatile security definer set search_path = public, pg_temp as $$
    -- By their places in the table, not a join: one may be planned as reading all the work there is once a piece.
    with leased as (
        update work w
        set available_at = now() + lease * power(2, least(w.attempts, 6)), attempts = w.attempts + 1
        where w.ctid = any(array(
            select c.ctid
            from work c
            where c.kind = wanted and c.available_at <= now()
            order by c.available_at
            limit maximum
            for update skip locked
        ))
        returning w.organisation_id, w.user_id, w.memory_id, w.available_at
    )
    select organisation_id, user_id, array_agg(memory_id order by memory_id), array_agg(distinct available_at)
    from leased group by 1, 2 order by 1, 2
$$;

-- The key that a request names before anyone knows its organisation, and the role of the user it is bound to.
create function find_key(wanted text) returns table (key api_keys, user_role text)
language sql stable security definer set search_path = public, pg_temp as $$
    select k, r.role
    from api_keys k
    left join user_roles r
        on r.organisation_id = k.organisation_id and r.digest = user_digest(k.organisation_id, k.user_id)
    where k.id = wanted
    order by k.created_at
    limit 1
$$;

-- Notes when keys of any tenants were used last, each no more than once a minute.
create function record_key_uses(organisations uuid[], ids text[], moments timestamptz[]) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    with uses as (
        select * from unnest(organisations, ids, moments) as u (organisation_id, id, at)
    ),
    -- In one order: two processes would otherwise each wait for the other.
    due as (
        select k.organisation_id, k.id, u.at
        from api_keys k join uses u on u.organisation_id = k.organisation_id and u.id = k.id
        where k.last_used_at is null or k.last_used_at <= u.at - interval '1 minute'
        order by k.organisation_id, k.id
        for update of k
    )
    update api_keys k set last_used_at = d.at
    from due d
    where k.organisation_id = d.organisation_id and k.id = d.id
$$;

-- Every organisation, for the operator's command line.
create function list_organisations() returns setof organisations
language sql stable security definer set search_path = public, pg_temp as $$
    select * from organisations order by created_at, organisation_id
$$;

-- Users whose rows are still being put into the shared indexes.
create function users_to_index(maximum integer) returns table (organisation_id uuid, user_id text)
language sql stable security definer set search_path = public, pg_temp as $$
    select organisation_id, user_id from users where search_state = 'indexing' limit maximum
$$;

-- Forgets outcomes that nobody may ask for any more. By their places: a join may be planned as reading all outcomes.
create function purge_idempotency_keys(age interval, maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    with purged as (
        delete from idempotency_keys
        where ctid = any (array(
            select ctid from idempotency_keys
            where created_at < now() - age
            order by created_at
            limit maximum
            for update skip locked
        ))
        returning 1
    )
    select count(*) from purged
$$;

revoke execute on function
    earlier_memories, changed_after, record_accesses, claim_work, find_key, users_to_index, purge_idempotency_keys,
    record_key_uses, list_organisations
    from public;
grant execute on function
    earlier_memories, changed_after, record_accesses, claim_work, find_key, users_to_index, purge_idempotency_keys,
    record_key_uses, list_organisations
    to pronoia_app;

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

-- What each user's uses have taught their organisation's prediction, as a sum that can be taken out again: numbers about
-- experts, none about a memory. `layout` names what the numbers mean; those of another layout are not added up.
create table prediction_contributions (
    organisation_id uuid not null,
    user_id text not null,
    layout text not null,
    contribution double precision[] not null,
    primary key (organisation_id, user_id),
    foreign key (organisation_id, user_id) references users
);
alter table prediction_contributions enable row level security;
alter table prediction_contributions force row level security;
create policy tenant on prediction_contributions to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on prediction_contributions to current_user using (true) with check (true);
revoke all on prediction_contributions from public;
grant select, insert, update, delete on prediction_contributions to pronoia_app;

-- Adds to the contributions of many users, of any tenants, at once; `width` numbers of `additions` a user. It runs as
-- the owner, as the log of uses does. Users who are gone by now are left out.
create function add_contributions(
    tenants uuid[], people text[], layout text, width integer, additions double precision[]
) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into prediction_contributions as c (organisation_id, user_id, layout, contribution)
    select u.organisation_id, u.user_id, $3, $5[(t.place - 1) * $4 + 1 : t.place * $4]
    from unnest($1, $2) with ordinality as t (organisation_id, user_id, place)
    join users u on u.organisation_id = t.organisation_id and u.user_id = t.user_id
    order by u.organisation_id, u.user_id
    on conflict (organisation_id, user_id) do update
        set layout = excluded.layout,
            contribution = case when c.layout = excluded.layout
                then (
                    select array_agg(before + added order by place)
                    from unnest(c.contribution, excluded.contribution) with ordinality as s (before, added, place)
                )
                else excluded.contribution end
$$;
revoke all on function add_contributions from public;
grant execute on function add_contributions to pronoia_app;

-- What became of searches: for a query, a memory that was judged or used, and those that were shown beside it. `id` is a
-- UUID version 7, so the order of ids is that of time. A user has few hundred: deleting a memory reads them all.
create table ranking_examples (
    organisation_id uuid not null,
    user_id text not null,
    id uuid not null,
    query text not null,
    memory_id uuid not null,
    shown uuid[] not null,
    helpful boolean not null,
    strength double precision not null check (strength > 0 and strength <= 1),
    -- The quarantine that took one of its memories out of use; null for what is learned from.
    archived_by uuid,
    primary key (organisation_id, user_id, id),
    foreign key (organisation_id, user_id) references users
);
alter table ranking_examples enable row level security;
alter table ranking_examples force row level security;
create policy tenant on ranking_examples to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on ranking_examples to current_user using (true) with check (true);
revoke all on ranking_examples from public;
grant select, insert, update, delete on ranking_examples to pronoia_app;

-- The weights fitted to a user's examples, null until there are any and again when one of the examples is forgotten.
-- `layout` names what the numbers mean; `served` says whether they beat the prior on examples not learned from yet.
create table ranking_weights (
    organisation_id uuid not null,
    user_id text not null,
    layout text,
    weights double precision[],
    served boolean not null default false,
    fitted_at timestamptz,
    searches bigint not null default 0,
    primary key (organisation_id, user_id),
    foreign key (organisation_id, user_id) references users
);
alter table ranking_weights enable row level security;
alter table ranking_weights force row level security;
create policy tenant on ranking_weights to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on ranking_weights to current_user using (true) with check (true);
revoke all on ranking_weights from public;
grant select, insert, update, delete on ranking_weights to pronoia_app;

-- What is known about how well memory serves, in daily sums: no memory is named, and no use is kept twice.

-- Answers of a day that proved right or wrong. bin is the tenth of the confidence a prediction had, else 0.
create table daily_outcomes (
    organisation_id uuid not null,
    user_id text not null,
    day date not null,
    kind text not null check (kind in ('search', 'prediction', 'suggestion', 'withheld', 'silent')),
    bin smallint not null check (bin between 0 and 9),
    trials bigint not null,
    hits bigint not null,
    confidence double precision not null,
    primary key (organisation_id, user_id, day, kind, bin),
    foreign key (organisation_id, user_id) references users
) with (fillfactor = 70);

create table learning_metrics (
    organisation_id uuid not null,
    user_id text not null,
    metric text not null check (metric in ('avg_helpfulness', 'relationship_quality')),
    day date not null,
    value double precision not null,
    primary key (organisation_id, user_id, metric, day),
    foreign key (organisation_id, user_id) references users
);

create table learning_runs (
    organisation_id uuid not null,
    user_id text not null,
    job text not null,
    activity bigint not null,
    last_run timestamptz not null,
    runs bigint not null,
    relationships_created bigint not null,
    primary key (organisation_id, user_id, job),
    foreign key (organisation_id, user_id) references users
);

-- Who does a job of an organisation next, and when. A lease that runs out belongs to a process that died.
create table schedule (
    organisation_id uuid not null references organisations,
    job text not null,
    last_run timestamptz,
    next_run timestamptz not null,
    leased_until timestamptz,
    holder uuid,
    primary key (organisation_id, job)
);

do $$
declare
    name text;
begin
    foreach name in array array['daily_outcomes', 'learning_metrics', 'learning_runs', 'schedule'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant on %I to pronoia_app '
            'using (organisation_id = current_tenant()) with check (organisation_id = current_tenant())', name);
        execute format('create policy owner on %I to current_user using (true) with check (true)', name);
        execute format('revoke all on %I from public', name);
        execute format('grant select, insert, update, delete on %I to pronoia_app', name);
    end loop;
end $$;

-- Adds to the daily sums of many users of many tenants. Users who are unknown or were forgotten are left out.
create function record_outcomes(
    tenants uuid[], people text[], days date[], kinds text[], bins smallint[], trial_counts bigint[],
    hit_counts bigint[], confidences double precision[]
) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    insert into daily_outcomes as d (organisation_id, user_id, day, kind, bin, trials, hits, confidence)
    select o.organisation_id, o.user_id, o.day, o.kind, o.bin, o.trials, o.hits, o.confidence
    from unnest(tenants, people, days, kinds, bins, trial_counts, hit_counts, confidences)
        as o (organisation_id, user_id, day, kind, bin, trials, hits, confidence)
    join users u on u.organisation_id = o.organisation_id and u.user_id = o.user_id
    order by 1, 2, 3, 4, 5
    on conflict (organisation_id, user_id, day, kind, bin) do update
        set trials = d.trials + excluded.trials, hits = d.hits + excluded.hits,
            confidence = d.confidence + excluded.confidence
$$;

-- Gives one organisation whose job is due to one process, for the time of the lease. The clock is the database's unless
-- another time is given.
create function claim_job(wanted text, process uuid, lease interval, moment timestamptz)
returns table (organisation_id uuid)
language plpgsql volatile security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    insert into schedule (organisation_id, job, next_run)
    select o.organisation_id, wanted, moment from organisations o
    where not exists (select from schedule s where s.organisation_id = o.organisation_id and s.job = wanted)
    on conflict do nothing;
    return query
    with chosen as (
        select s.organisation_id from schedule s
        where s.job = wanted and s.next_run <= moment and (s.leased_until is null or s.leased_until <= moment)
        order by s.next_run
        limit 1
        for update skip locked
    )
    update schedule s set leased_until = moment + lease, holder = process
    from chosen c where s.organisation_id = c.organisation_id and s.job = wanted
    returning s.organisation_id;
end $$;

revoke execute on function record_outcomes, claim_job from public;
grant execute on function record_outcomes, claim_job to pronoia_app;

-- What maintenance did to a user's memory, so that it can be undone. Merging and archiving leave the memory where it is,
-- marked with the action that took it out of use; so does removing a link. What is purged takes its action with it.
create table maintenance_actions (
    organisation_id uuid not null,
    user_id text not null,
    id uuid not null,
    version bigint not null,
    kind text not null check (kind in ('merge', 'archive', 'remove_link', 'quarantine', 'rollback')),
    memory_id uuid,
    kept_memory_id uuid,
    relationship_id uuid,
    -- What a merge added to the uses of the memory that stays, and when that one was last used before.
    added_usage integer not null default 0,
    kept_last_accessed timestamptz,
    at timestamptz not null,
    undone_at timestamptz,
    -- Of a quarantine or rollback: how many memories it took out of use, all marked with it, and why.
    memory_count integer not null default 0,
    reason text,
    primary key (organisation_id, user_id, id),
    foreign key (organisation_id, user_id, memory_id) references memories on delete cascade,
    foreign key (organisation_id, user_id, kept_memory_id) references memories on delete set null (kept_memory_id),
    foreign key (organisation_id, user_id, relationship_id) references relationships on delete cascade,
    check ((kind in ('quarantine', 'rollback')) = (relationship_id is null and memory_id is null)),
    check (relationship_id is null or memory_id is null),
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

-- Actions of any tenant from before a time, oldest first, a row for each memory that is still out of use by it. What is
-- quarantined stays until it is released or deleted.
create function expired_actions(before timestamptz, maximum integer)
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
revoke all on function expired_actions from public;
grant execute on function expired_actions to pronoia_app;

-- Answers that may be needed again, as bytes: tier 2 for all processes, tier 3 for longer. Losing them costs time only.
-- An empty user_id is the organisation as a whole. `version` is that of the user's memory that the answer reflects.

-- Not logged: quick to write, and empty after a crash or on a standby.
create unlogged table shared_answers (
    organisation_id uuid not null,
    user_id text not null,
    key bytea not null,
    value bytea not null,
    cost_seconds double precision not null,
    version bigint,
    expires_at timestamptz not null,
    primary key (organisation_id, user_id, key)
);

create table kept_answers (
    organisation_id uuid not null,
    user_id text not null,
    key bytea not null,
    value bytea not null,
    cost_seconds double precision not null,
    version bigint,
    expires_at timestamptz not null,
    primary key (organisation_id, user_id, key)
);

create index shared_answers_by_expiry on shared_answers (expires_at);
create index kept_answers_by_expiry on kept_answers (expires_at);

do $$
declare
    name text;
begin
    foreach name in array array['shared_answers', 'kept_answers'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant on %I to pronoia_app '
            'using (organisation_id = current_tenant()) with check (organisation_id = current_tenant())', name);
        execute format('create policy owner on %I to current_user using (true) with check (true)', name);
        execute format('revoke all on %I from public', name);
        execute format('grant select, insert, update, delete on %I to pronoia_app', name);
    end loop;
end $$;

-- Drops what has expired, and of the rest what expires first, until `maximum` are left; says how many and how large.
-- Several processes may clean at once.
create function clean_answers(shared boolean, maximum bigint, moment timestamptz)
returns table (entries bigint, bytes bigint)
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
    name text := case when shared then 'shared_answers' else 'kept_answers' end;
begin
    execute format(
        'delete from %1$I a using ('
        '    select organisation_id, user_id, key from %1$I'
        '    where expires_at <= $2 or expires_at < (select expires_at from %1$I order by expires_at desc offset $1 limit 1)'
        '    for update skip locked'
        ') gone where a.organisation_id = gone.organisation_id and a.user_id = gone.user_id and a.key = gone.key', name)
    using greatest(maximum - 1, 0), moment;
    return query execute format('select count(*), coalesce(sum(length(value)), 0)::bigint from %I', name);
end $$;
revoke execute on function clean_answers from public;
grant execute on function clean_answers to pronoia_app;

-- Counts what is stored of all tenants together, for the operator's gauges. A table of relationships beyond a million
-- rows is estimated from what the last analyze saw.
create function instance_totals()
returns table (memories bigint, users bigint, organisations bigint, relationships bigint, to_embed bigint, to_link bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select u.memories, u.users, (select count(*) from organisations), r.relationships, w.to_embed, w.to_link
    from (select coalesce(sum(memory_count), 0)::bigint as memories, count(*) as users from users) u,
        (select case when c.reltuples > 1000000 then c.reltuples::bigint else (select count(*) from relationships) end
            as relationships
        from pg_class c where c.oid = 'relationships'::regclass) r,
        (select count(*) filter (where kind = 'embed') as to_embed, count(*) filter (where kind = 'link') as to_link
        from work) w
$$;
revoke all on function instance_totals from public;
grant execute on function instance_totals to pronoia_app;

-- Budgets of rate limits. A crash empties the table, and then every budget is full. `full_at` is in seconds since the
-- epoch: when everything that was taken of a key will have come back. Addresses and the instance belong to the
-- organisation of zeros.
create unlogged table rate_limits (
    organisation_id uuid not null,
    key bytea not null,
    full_at double precision not null,
    spent double precision not null,
    primary key (organisation_id, key)
) with (fillfactor = 50);

alter table rate_limits enable row level security;
alter table rate_limits force row level security;
create policy tenant on rate_limits to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on rate_limits to current_user using (true) with check (true);
revoke all on rate_limits from public;
grant select, insert, update, delete on rate_limits to pronoia_app;

-- Takes cells of several keys, each by itself: as many as are wanted and there, or none if there are fewer than
-- `minima` asks for. The rule is that of resilience/rate_limit.py, on this clock. Keys are locked in one order: two
-- calls would otherwise each wait for the other.
create function take_cells(
    organisations uuid[], keys bytea[], intervals double precision[], limits double precision[],
    wanted double precision[], minima double precision[], returned double precision[]
) returns table (place bigint, cells double precision, backlog_seconds double precision, total double precision)
language plpgsql volatile security definer
set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    moment double precision := extract(epoch from clock_timestamp());
    claim record;
    room double precision;
begin
    for claim in
        select *
        from unnest(organisations, keys, intervals, limits, wanted, minima, returned) with ordinality
            as c (organisation_id, key, cell_seconds, maximum, wanted, minimum, returned, place)
        order by c.organisation_id, c.key
    loop
        insert into rate_limits as r (organisation_id, key, full_at, spent)
        values (claim.organisation_id, claim.key, moment, 0)
        on conflict (organisation_id, key) do update set spent = r.spent - claim.returned
        returning greatest(r.full_at - claim.returned * claim.cell_seconds - moment, 0), r.spent
        into backlog_seconds, total;
        room := claim.maximum - backlog_seconds / claim.cell_seconds;
        cells := case when room >= claim.minimum - 1e-6 then greatest(least(claim.wanted, room), 0) else 0 end;
        backlog_seconds := backlog_seconds + cells * claim.cell_seconds;
        total := total + cells;
        update rate_limits r set full_at = moment + backlog_seconds, spent = total
        where r.organisation_id = claim.organisation_id and r.key = claim.key;
        place := claim.place;
        return next;
    end loop;
end $$;

-- Forgets keys whose budgets have been full for a minute.
create function purge_rate_limits(maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp as $$
    with purged as (
        delete from rate_limits
        where ctid = any (array(
            select ctid from rate_limits
            where full_at < extract(epoch from clock_timestamp()) - 60
            limit maximum
            for update skip locked
        ))
        returning 1
    )
    select count(*) from purged
$$;

revoke execute on function take_cells, purge_rate_limits from public;
grant execute on function take_cells, purge_rate_limits to pronoia_app;
-- What the processes of an instance know together about how well they serve. None of it is about a tenant: no row names
-- one, every statement may read it, and no key begins with an organisation.

-- A minute that a process ran in, all processes added up. latencies and foresight are counts by bucket of duration.
create table service_levels (
    minute timestamptz primary key,
    requests bigint not null,
    failed bigint not null,
    shed bigint not null,
    seconds double precision not null,
    cache_asked bigint not null,
    cache_found bigint not null,
    patterns bigint not null,
    latencies integer[] not null,
    foresight integer[] not null
) with (fillfactor = 70);

-- What each running process measured last.
create table process_reports (
    process uuid primary key,
    reported_at timestamptz not null,
    gauges jsonb not null
) with (fillfactor = 50);

-- Who acts for all processes, and until when it need not ask again.
create table instance_leases (
    name text primary key,
    holder uuid not null,
    leased_until timestamptz not null
) with (fillfactor = 50);

create table alerts (
    id uuid primary key,
    name text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    message text not null,
    labels jsonb not null,
    started_at timestamptz not null,
    resolved_at timestamptz,
    told text[] not null
) with (fillfactor = 70);

do $$
declare
    name text;
begin
    foreach name in array array['service_levels', 'process_reports', 'instance_leases', 'alerts'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy instance on %I to pronoia_app using (true) with check (true)', name);
        execute format('create policy owner on %I to current_user using (true) with check (true)', name);
        execute format('revoke all on %I from public', name);
        execute format('grant select, insert, update, delete on %I to pronoia_app', name);
    end loop;
end $$;

-- Adds two lists place by place.
create function added(one integer[], other integer[]) returns integer[]
language sql immutable parallel safe
return (
    select array_agg(coalesce(a, 0) + coalesce(b, 0) order by place)
    from unnest(one, other) with ordinality as pairs (a, b, place)
);

-- Counts the rows of metrics that learning wrote for some days, of all tenants.
create function count_metric_rows(first_day date) returns bigint
language sql stable security definer set search_path = public, pg_temp as $$
    select (select count(*) from learning_metrics where day >= first_day)
        + (select count(*) from daily_outcomes where day >= first_day)
$$;
revoke all on function count_metric_rows from public;
grant execute on function count_metric_rows to pronoia_app;

alter table forgotten_users enable row level security;
alter table forgotten_users force row level security;
create policy tenant on forgotten_users to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on forgotten_users to current_user using (true) with check (true);
revoke all on forgotten_users from public;
grant select, insert, update, delete on forgotten_users to pronoia_app;

-- Daily sums are counted and forgotten by their day, of all tenants together.
create index daily_outcomes_day on daily_outcomes (day);
create index learning_metrics_day on learning_metrics (day);

-- Forgets the oldest uses and removals of up to `people` users after one, and at most some `maximum` rows. Gives the user
-- to go on after, null if there is none. Users are looked at one by one, because no index over all of them leads to what
-- is old: each use would pay for it. A user who is being written is left for the next time.
create function purge_history(
    after_organisation uuid, after_person text, people integer, maximum integer, uses_before timestamptz,
    removals_before timestamptz
) returns table (organisation_id uuid, user_id text, purged bigint)
language plpgsql volatile security definer
set search_path = public, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    one record;
    last_use bigint;
    last_removal bigint;
    gone bigint;
begin
    organisation_id := after_organisation;
    user_id := after_person;
    purged := 0;
    for one in
        select u.organisation_id, u.user_id from users u
        where (u.organisation_id, u.user_id) > (after_organisation, after_person)
        order by u.organisation_id, u.user_id
        limit people
    loop
        select max(old.activity) into last_use
        from (
            select a.activity, a.at from accesses a
            where a.organisation_id = one.organisation_id and a.user_id = one.user_id
            order by a.activity
            limit maximum - purged
        ) old
        where old.at < uses_before;
        select max(old.version) into last_removal
        from (
            select r.version, r.at from removals r
            where r.organisation_id = one.organisation_id and r.user_id = one.user_id
            order by r.version
            limit maximum - purged
        ) old
        where old.at < removals_before;
        if last_use is not null or last_removal is not null then
            update users u
            set uses_complete_from = greatest(u.uses_complete_from, last_use),
                complete_from = greatest(u.complete_from, last_removal)
            where u.ctid = (
                select l.ctid from users l
                where l.organisation_id = one.organisation_id and l.user_id = one.user_id
                for no key update skip locked
            );
            if found then
                delete from accesses a
                where a.organisation_id = one.organisation_id and a.user_id = one.user_id and a.activity <= last_use;
                get diagnostics gone = row_count;
                purged := purged + gone;
                delete from removals r
                where r.organisation_id = one.organisation_id and r.user_id = one.user_id and r.version <= last_removal;
                get diagnostics gone = row_count;
                purged := purged + gone;
            end if;
        end if;
        if purged >= maximum then -- there may be more of this user
            return next;
            return;
        end if;
        organisation_id := one.organisation_id;
        user_id := one.user_id;
    end loop;
    if not found then
        organisation_id := null;
        user_id := null;
    end if;
    return next;
end $$;

-- Forgets up to `maximum` daily sums and as many metrics from before a day, and says how many.
create function purge_metrics(before date, maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    with sums as (
        delete from daily_outcomes
        where ctid = any (array(select ctid from daily_outcomes where day < before limit maximum for update skip locked))
        returning 1
    ),
    metrics as (
        delete from learning_metrics
        where ctid = any (array(select ctid from learning_metrics where day < before limit maximum for update skip locked))
        returning 1
    )
    select (select count(*) from sums) + (select count(*) from metrics)
$$;

-- Service levels by the hour, but of the last day, in which a process may still add to minutes that it could not write.
-- Row-level security does not hold for it: it may never have anything of a tenant in it.
create materialized view hourly_levels as
with minutes as (
    select date_trunc('hour', minute, 'UTC') as hour, l.* from service_levels l
    where minute < date_trunc('hour', now() - interval '25 hours', 'UTC')
),
buckets as (
    select hour, array_agg(served order by bucket) as latencies, array_agg(foreseen order by bucket) as foresight
    from (
        select hour, bucket, sum(served)::bigint as served, sum(foreseen)::bigint as foreseen
        from minutes, unnest(latencies, foresight) with ordinality as counted (served, foreseen, bucket)
        group by hour, bucket
    ) added_up
    group by hour
),
sums as (
    select
        hour, sum(requests)::bigint as requests, sum(failed)::bigint as failed, sum(shed)::bigint as shed,
        sum(seconds) as seconds, sum(cache_asked)::bigint as cache_asked, sum(cache_found)::bigint as cache_found,
        sum(patterns)::bigint as patterns, count(*) as minutes,
        count(*) filter (where requests > 0 and failed >= requests) as dead_minutes, min(minute) as first
    from minutes
    group by hour
)
select sums.*, buckets.latencies, buckets.foresight from sums join buckets using (hour);
create unique index hourly_levels_hour on hourly_levels (hour);
revoke all on hourly_levels from public;
grant select on hourly_levels to pronoia_app;

-- Computes it anew, beside those who read it.
create function refresh_hourly_levels() returns void
language plpgsql volatile security definer set search_path = public, pg_temp as $$
begin
    refresh materialized view concurrently hourly_levels;
end $$;

revoke execute on function purge_history, purge_metrics, refresh_hourly_levels from public;
grant execute on function purge_history, purge_metrics, refresh_hourly_levels to pronoia_app;

-- What was done and what was refused, in the order of its numbers. Rows are only ever added. A row is written in the
-- transaction of what it tells of, and its hash with it; the chainer then gives it its number and links it to the row
-- before, so that no writer waits for another.

-- The SHA-256 of a JSON array of the row's content, all of it as text.
create function audit_content_hash(
    organisation_id uuid, at timestamptz, action text, outcome text, actor text, subject uuid, route text,
    request_id text, details jsonb
) returns bytea
language plpgsql immutable parallel safe as $$
begin
    return sha256(convert_to(json_build_array(
        organisation_id::text, (extract(epoch from at) * 1000000)::bigint::text, action, outcome, actor, subject::text,
        route, request_id, details::text)::text, 'UTF8'));
end $$;

-- No foreign keys: a row outlives what it is about. Rows about no organisation belong to the organisation of zeros.
create table audit_log (
    organisation_id uuid not null,
    -- Where the row waits to be numbered. It has gaps, and says nothing.
    place bigint generated always as identity,
    at timestamptz not null default clock_timestamp(),
    action text not null check (length(action) <= 64),
    outcome text not null check (outcome in ('succeeded', 'refused')),
    actor text not null check (length(actor) <= 200),
    subject uuid,
    route text check (length(route) <= 200),
    request_id text check (length(request_id) <= 36),
    details jsonb not null default '{}' check (pg_column_size(details) <= 8000),
    content_hash bytea not null generated always as (
        audit_content_hash(organisation_id, at, action, outcome, actor, subject, route, request_id, details)) stored,
    -- Given by the chainer: hash is the SHA-256 of previous_hash, the number in eight bytes, and content_hash.
    number bigint,
    previous_hash bytea,
    hash bytea,
    primary key (organisation_id, place)
);
create unique index audit_log_number on audit_log (organisation_id, number) where number is not null;
create index audit_log_waiting on audit_log (place) where number is null;

-- The last row of each organisation's chain.
create table audit_heads (
    organisation_id uuid primary key,
    number bigint not null,
    hash bytea not null,
    chained_at timestamptz not null
) with (fillfactor = 50);

do $$
declare
    name text;
begin
    foreach name in array array['audit_log', 'audit_heads'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant on %I to pronoia_app '
            'using (organisation_id = current_tenant()) with check (organisation_id = current_tenant())', name);
        execute format('create policy owner on %I to current_user using (true) with check (true)', name);
        execute format('revoke all on %I from public', name);
        execute format('grant select on %I to pronoia_app', name);
    end loop;
end $$;
-- Neither when, nor where in the chain: those are not for the writer to say.
grant insert (organisation_id, action, outcome, actor, subject, route, request_id, details) on audit_log to pronoia_app;

-- Adds a row, in the transaction that it is called in, and gives where it waits. `person` is whom it is about
-- and may be nobody; `acting_person` is the user who acts by no key. Both are told by their pseudonyms, and who does
-- something is given one even if nothing is stored of them yet; whoever was forgotten counts on from there.
create function record_audit(
    tenant uuid, person text, action text, outcome text, actor text, acting_person text, route text, request_id text,
    details jsonb
) returns bigint
language plpgsql security invoker as $$
declare
    waits_at bigint;
begin
    if acting_person is not null then
        if outcome = 'succeeded' then
            insert into users (organisation_id, user_id, memory_version, complete_from, activity)
            select tenant, acting_person, coalesce(max(f.memory_version), 0), coalesce(max(f.memory_version), 0),
                coalesce(max(f.activity), 0)
            from forgotten_users f
            where f.organisation_id = tenant and f.digest = user_digest(tenant, acting_person)
            on conflict do nothing;
        end if;
        actor := actor || coalesce(':' || (
            select u.pseudonym from users u where u.organisation_id = tenant and u.user_id = acting_person), '');
    end if;
    insert into audit_log as l (organisation_id, action, outcome, actor, subject, route, request_id, details)
    values (tenant, action, outcome, actor,
        (select u.pseudonym from users u where u.organisation_id = tenant and u.user_id = person),
        route, request_id, details)
    returning l.place into waits_at;
    return waits_at;
end $$;

-- Numbers and links up to `maximum` rows of all organisations, each organisation's in the order in which they began to
-- wait, and says how many, how many still wait (10001 for more), and since when. One process at a time: another gets
-- nulls.
create function chain_audit(maximum integer)
returns table (chained bigint, waiting bigint, waiting_seconds double precision)
language plpgsql volatile security definer set search_path = public, pg_temp
    -- By their places in the table, however many there are, and however few there were when it was planned.
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    entry record;
    head audit_heads;
    rows tid[] := '{}';
    numbers bigint[] := '{}';
    previous bytea[] := '{}';
    hashes bytea[] := '{}';
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pronoia.audit', 0)) then
        return next;
        return;
    end if;
    for entry in
        select l.ctid as row, l.organisation_id, l.content_hash
        from audit_log l
        where l.ctid = any (array(select w.ctid from audit_log w where w.number is null order by w.place limit maximum))
        order by l.organisation_id, l.place
    loop
        if head.organisation_id is distinct from entry.organisation_id then
            perform keep_audit_head(head);
            select * into head from audit_heads h where h.organisation_id = entry.organisation_id;
            if not found then
                head := row(entry.organisation_id, 0, decode(repeat('00', 32), 'hex'), now());
            end if;
        end if;
        rows := rows || entry.row;
        previous := previous || head.hash;
        head.number := head.number + 1;
        head.hash := sha256(head.hash || int8send(head.number) || entry.content_hash);
        numbers := numbers || head.number;
        hashes := hashes || head.hash;
    end loop;
    perform keep_audit_head(head);
    update audit_log l
    set number = c.number, previous_hash = c.previous_hash, hash = c.hash
    from unnest(rows, numbers, previous, hashes) as c (row, number, previous_hash, hash)
    where l.ctid = c.row;
    get diagnostics chained = row_count;
    select count(*), coalesce(extract(epoch from clock_timestamp() - min(w.at)), 0) into waiting, waiting_seconds
    from (select l.at from audit_log l where l.number is null order by l.place limit 10001) w;
    return next;
end $$;

create function keep_audit_head(head audit_heads) returns void
language sql volatile security invoker set search_path = public, pg_temp as $$
    insert into audit_heads (organisation_id, number, hash, chained_at)
    select head.organisation_id, head.number, head.hash, now()
    where head.organisation_id is not null
    on conflict (organisation_id) do update
        set number = excluded.number, hash = excluded.hash, chained_at = excluded.chained_at
$$;

-- The heads that moved since a time, of all organisations.
create function moved_audit_heads(since timestamptz)
returns table (organisation_id uuid, number bigint, hash bytea)
language sql stable security definer set search_path = public, pg_temp as $$
    select h.organisation_id, h.number, h.hash from audit_heads h where h.chained_at >= since order by h.organisation_id
$$;

revoke all on function chain_audit, keep_audit_head, moved_audit_heads from public;
grant execute on function chain_audit, moved_audit_heads to pronoia_app;
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

-- Memories of any tenant that are older than their project keeps them. The shortest time that any project keeps them for
-- leads to old memories by the index over time: a bound that differs by row would read all memories there are.
create function expired_memories(moment timestamptz, maximum integer)
returns table (organisation_id uuid, user_id text, id uuid)
language sql stable security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    select m.organisation_id, m.user_id, m.id
    from memories m
    join projects p on p.organisation_id = m.organisation_id and p.project_id = m.project_id
    where m.created_at < moment - make_interval(days => (select min(retention_days) from projects))
        and m.created_at < moment - make_interval(days => p.retention_days)
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

-- Texts may be stored encrypted: each organisation has a key of its own for them, wrapped by the operator's master key.

create table data_keys (
    organisation_id uuid not null references organisations,
    id integer not null,
    wrapped bytea not null,
    -- Says which master key wrapped it: a short digest.
    master_key_id text not null,
    created_at timestamptz not null default now(),
    primary key (organisation_id, id)
);
alter table data_keys enable row level security;
alter table data_keys force row level security;
create policy tenant on data_keys to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on data_keys to current_user using (true) with check (true);
revoke all on data_keys from public;
grant select, insert, update, delete on data_keys to pronoia_app;

-- The wrapped keys of all organisations, to wrap them again. Without the master key they open nothing.
create function list_data_keys() returns setof data_keys
language sql stable security definer set search_path = public, pg_temp as $$
    select * from data_keys order by organisation_id, id
$$;

-- Replaces the wrapping of keys that are still wrapped as they were read.
create function rewrap_data_keys(tenants uuid[], ids integer[], before bytea[], after bytea[], master text) returns bigint
language sql volatile security definer set search_path = public, pg_temp as $$
    with rewrapped as (
        update data_keys k set wrapped = n.after, master_key_id = master
        from unnest(tenants, ids, before, after) as n (tenant, id, before, after)
        where k.organisation_id = n.tenant and k.id = n.id and k.wrapped = n.before
        returning 1
    )
    select count(*) from rewrapped
$$;
revoke execute on function list_data_keys, rewrap_data_keys from public;
grant execute on function list_data_keys, rewrap_data_keys to pronoia_app;

-- Tokens of a user that an identity provider issued until then are refused. By digest, because it must outlive forgetting
-- the user, who need not have stored anything.
create table token_revocations (
    organisation_id uuid not null references organisations,
    digest bytea not null,
    not_before timestamptz not null,
    primary key (organisation_id, digest)
);
alter table token_revocations enable row level security;
alter table token_revocations force row level security;
create policy tenant on token_revocations to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on token_revocations to current_user using (true) with check (true);
revoke all on token_revocations from public;
grant select, insert, update, delete on token_revocations to pronoia_app;

-- Forgets up to `maximum` revocations from before a time, of all tenants, and says how many.
create function purge_token_revocations(before timestamptz, maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp as $$
    with purged as (
        delete from token_revocations
        where ctid = any (array(
            select ctid from token_revocations where not_before < before limit maximum for update skip locked))
        returning 1
    )
    select count(*) from purged
$$;
revoke execute on function purge_token_revocations from public;
grant execute on function purge_token_revocations to pronoia_app;
