-- What an organisation manages: its name, its projects, the roles of its users, and keys that expire and are rotated.

alter table organisations add column name text not null default '';

alter table api_keys
    add column expires_at timestamptz,
    add column previous_secret_hash bytea,
    add column previous_valid_until timestamptz;

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

do $$
declare
    name text;
begin
    foreach name in array array['projects', 'user_roles'] loop
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

drop function find_key;

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

revoke execute on function find_key, record_key_uses, list_organisations from public;
grant execute on function find_key, record_key_uses, list_organisations to pronoia_app;
