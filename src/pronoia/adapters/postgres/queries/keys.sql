-- find_key: The key that a request names.
select * from find_key($1);

-- create_organisation: The first key of an organisation makes it, or a provider of its users.
insert into organisations (organisation_id) values ($1) on conflict do nothing;

-- create_key: Store a key, without its secret.
insert into api_keys (
    organisation_id, id, user_id, permissions, plan, secret_hash, created_at, revoked_at, last_used_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- list_keys: The keys of an organisation, oldest first.
select * from api_keys where organisation_id = $1 order by created_at, id;

-- revoke_key: Revoke a key; the first time stands.
update api_keys set revoked_at = coalesce(revoked_at, $3)
where organisation_id = $1 and id = $2
returning *;
