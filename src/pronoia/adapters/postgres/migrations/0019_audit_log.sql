-- What was done and what was refused, in the order of its numbers. Rows are only ever added. A row is written in the
-- transaction of what it tells of, and its hash with it; the chainer then gives it its number and links it to the row
-- before, so that no writer waits for another.

-- Stands for a user in the audit log. It is drawn by chance, and gone when the user is forgotten.
alter table users add column pseudonym uuid not null default gen_random_uuid();

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
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
    entry record;
    head audit_heads;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pronoia.audit', 0)) then
        return next;
        return;
    end if;
    chained := 0;
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
        update audit_log l
        set number = head.number + 1, previous_hash = head.hash,
            hash = sha256(head.hash || int8send(head.number + 1) || entry.content_hash)
        where l.ctid = entry.row
        returning l.number, l.hash into head.number, head.hash;
        chained := chained + 1;
    end loop;
    perform keep_audit_head(head);
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
