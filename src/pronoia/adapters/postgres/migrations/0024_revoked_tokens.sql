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
