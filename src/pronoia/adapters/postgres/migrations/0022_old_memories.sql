-- Memories of any tenant that are older than their project keeps them. The shortest time that any project keeps them for
-- leads to old memories by the index over time: a bound that differs by row would read all memories there are.
create or replace function expired_memories(moment timestamptz, maximum integer)
returns table (organisation_id uuid, user_id text, id uuid)
language sql stable security definer set search_path = public, pg_temp set enable_seqscan = off as $$
    select m.organisation_id, m.user_id, m.id
    from memories m
    join projects p on p.organisation_id = m.organisation_id and p.project_id = m.project_id
    where m.created_at < moment - make_interval(days => (select min(retention_days) from projects))
        and m.created_at < moment - make_interval(days => p.retention_days)
    limit maximum
$$;
