-- set_retention: Set how many days the memories of a project are kept.
insert into retention_policies (organisation_id, project_id, days) values ($1, $2, $3)
on conflict (organisation_id, project_id) do update set days = excluded.days;

-- remove_retention: Keep them for good again.
delete from retention_policies where organisation_id = $1 and project_id = $2 returning 1;

-- list_retention: How long projects keep memories.
select project_id, days from retention_policies where organisation_id = $1 order by project_id;

-- expired_memories: Memories of any tenant that are older than their project keeps them.
select organisation_id, user_id, id from expired_memories($1, $2);
