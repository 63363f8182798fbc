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

-- An encrypted text begins with a mark that no given text may begin with.
create function is_encrypted(text text) returns boolean
language sql immutable parallel safe
return left(text, 11) = E'\x1epronoia:1:';

-- What two texts of a user must have in common to be the same: all, or if encrypted the keyed digest behind the mark.
create function text_identity(text text) returns text
language sql immutable parallel safe
return case when is_encrypted(text) then left(text, 33) else text end;

-- Of a text that is not encrypted it is what it was, so the index over it stays right.
create or replace function text_digest(organisation_id uuid, user_id text, text text) returns bigint
language sql immutable parallel safe
return (owner_digest(organisation_id, user_id) << 32) | (hashtext(text_identity(text))::bigint & 4294967295);

create or replace function earlier_memories(person text, texts text[]) returns uuid[]
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
