-- find_key: The key that a request names, and the role of its user.
select (key).*, user_role from find_key($1);

-- create_organisation: The first key of an organisation makes it, or a provider of its users.
insert into organisations (organisation_id) values ($1) on conflict do nothing;

-- create_key: Store a key, without its secret.
insert into api_keys (
    organisation_id, id, user_id, permissions, plan, secret_hash, created_at, revoked_at, last_used_at, expires_at,
    previous_secret_hash, previous_valid_until, trust)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- list_keys: The keys of an organisation, oldest first, from the one that follows a given key.
select * from api_keys k
where k.organisation_id = $1
    and ($2::text is null or (k.created_at, k.id) > (
        select p.created_at, p.id from api_keys p where p.organisation_id = $1 and p.id = $2))
order by k.created_at, k.id
limit $3;

-- get_key: One key of an organisation.
select * from api_keys where organisation_id = $1 and id = $2;

-- lock_key: The same, to change it.
select * from api_keys where organisation_id = $1 and id = $2 for no key update;

-- change_key: What can change of a key.
update api_keys
set secret_hash = $3, revoked_at = $4, expires_at = $5, previous_secret_hash = $6, previous_valid_until = $7
where organisation_id = $1 and id = $2;

-- record_key_uses: Note when keys were used last.
select record_key_uses($1, $2, $3);
