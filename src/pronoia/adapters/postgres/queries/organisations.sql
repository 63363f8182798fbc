-- name_organisation: Make an organisation.
insert into organisations (organisation_id, name, created_at) values ($1, $2, $3);

-- get_organisation: The tenant's own.
select organisation_id, name, created_at from organisations where organisation_id = $1;

-- rename_organisation: Give the tenant another name.
update organisations set name = $2 where organisation_id = $1;

-- list_organisations: All of them, oldest first.
select organisation_id, name, created_at from list_organisations();

-- create_project: Declare a project, unless it is.
insert into projects (organisation_id, project_id, retention_days, created_at)
values ($1, $2, $3, $4)
on conflict do nothing
returning *;

-- get_project: One declared project.
select * from projects where organisation_id = $1 and project_id = $2;

-- list_projects: Declared projects by name, from the one that follows a given name; archived ones where asked for.
select * from projects
where organisation_id = $1 and ($2 or archived_at is null) and project_id > $3
order by project_id
limit $4;

-- lock_project: One declared project, to change it.
select * from projects where organisation_id = $1 and project_id = $2 for no key update;

-- change_project: What can change of a project.
update projects set retention_days = $3, archived_at = $4 where organisation_id = $1 and project_id = $2;

-- list_users: Users by name with their roles, from the one that follows a given name.
select u.user_id, u.memory_count, u.memory_version, u.created_at, r.role, t.not_before
from users u
cross join lateral user_digest(u.organisation_id, u.user_id) as d (digest)
left join user_roles r on r.organisation_id = u.organisation_id and r.digest = d.digest
left join token_revocations t on t.organisation_id = u.organisation_id and t.digest = d.digest
where u.organisation_id = $1 and u.user_id > $2
order by u.user_id
limit $3;

-- get_user: One user with their role.
select u.user_id, u.memory_count, u.memory_version, u.created_at, r.role, t.not_before
from users u
cross join lateral user_digest(u.organisation_id, u.user_id) as d (digest)
left join user_roles r on r.organisation_id = u.organisation_id and r.digest = d.digest
left join token_revocations t on t.organisation_id = u.organisation_id and t.digest = d.digest
where u.organisation_id = $1 and u.user_id = $2;

-- ensure_user: Make the row of a user who has stored nothing yet; whoever was forgotten counts on from there.
insert into users (organisation_id, user_id, memory_version, complete_from, activity)
select $1, $2, coalesce(max(f.memory_version), 0), coalesce(max(f.memory_version), 0), coalesce(max(f.activity), 0)
from forgotten_users f
where f.organisation_id = $1 and f.digest = user_digest($1, $2)
on conflict do nothing;

-- set_user_role: Give a user a role, in place of any before.
insert into user_roles (organisation_id, digest, role)
values ($1, user_digest($1, $2), $3)
on conflict (organisation_id, digest) do update set role = excluded.role;

-- clear_user_role: Take a user's role away.
delete from user_roles where organisation_id = $1 and digest = user_digest($1, $2);

-- revoke_tokens: Refuse a user's tokens that were issued until a time; an earlier time changes nothing.
insert into token_revocations as t (organisation_id, digest, not_before)
values ($1, user_digest($1, $2), $3)
on conflict (organisation_id, digest) do update set not_before = greatest(t.not_before, excluded.not_before);

-- get_standing: What bounds a user, who need not have stored anything.
select
    (select role from user_roles where organisation_id = $1 and digest = user_digest($1, $2)) as role,
    (select not_before from token_revocations where organisation_id = $1 and digest = user_digest($1, $2)) as not_before;
