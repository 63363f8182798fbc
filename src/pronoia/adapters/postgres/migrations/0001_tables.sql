-- Every primary, unique and foreign key begins with organisation_id, so the same tables can be sharded by it.
-- Whoever writes a user's memory first locks the user's row, so versions are given out in the order of commits.

create table organisations (
    organisation_id uuid primary key,
    created_at timestamptz not null default now()
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
    primary key (organisation_id, user_id)
) with (fillfactor = 70);
create index users_indexing on users (organisation_id, user_id) where search_state = 'indexing';

-- Whose row it is, in 32 bits.
create function owner_digest(organisation_id uuid, user_id text) returns bigint
language sql immutable parallel safe
return hashtext(organisation_id::text || user_id)::bigint;

-- The same in the upper half, so that a user's entries lie together in an index, and the text in the lower.
create function text_digest(organisation_id uuid, user_id text, text text) returns bigint
language sql immutable parallel safe
return (owner_digest(organisation_id, user_id) << 32) | (hashtext(text)::bigint & 4294967295);

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
    kind text not null check (kind in ('memory', 'relationship')),
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

-- What a write with an Idempotency-Key answered. memory_ids are the memories whose text the outcome repeats.
create table idempotency_keys (
    organisation_id uuid not null,
    user_id text not null,
    key text not null,
    request_hash bytea not null,
    memory_ids uuid[] not null,
    outcome bytea not null,
    created_at timestamptz not null default now(),
    primary key (organisation_id, user_id, key),
    foreign key (organisation_id, user_id) references users
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
