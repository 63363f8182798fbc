-- Counts what is stored of all tenants together, for the operator's gauges. A table of relationships beyond a million
-- rows is estimated from what the last analyze saw.
create function instance_totals()
returns table (memories bigint, users bigint, organisations bigint, relationships bigint, to_embed bigint, to_link bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select u.memories, u.users, (select count(*) from organisations), r.relationships, w.to_embed, w.to_link
    from (select coalesce(sum(memory_count), 0)::bigint as memories, count(*) as users from users) u,
        (select case when c.reltuples > 1000000 then c.reltuples::bigint else (select count(*) from relationships) end
            as relationships
        from pg_class c where c.oid = 'relationships'::regclass) r,
        (select count(*) filter (where kind = 'embed') as to_embed, count(*) filter (where kind = 'link') as to_link
        from work) w
$$;
revoke all on function instance_totals from public;
grant execute on function instance_totals to pronoia_app;
