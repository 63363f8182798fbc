-- backup_tables: The tables that hold what must not be lost, and what each of them refers to. `statement` reads all rows
-- in the order of the primary key, whatever the collation of the database; `whole` is whether this role sees them all.
select
    c.relname as name,
    cols.names as columns,
    format('select %s from public.%I order by %s', cols.list, c.relname, keys.list) as statement,
    array(
        select r.relname from pg_constraint f join pg_class r on r.oid = f.confrelid
        where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid
        order by r.relname
    ) as refers_to,
    pg_total_relation_size(c.oid) - pg_indexes_size(c.oid) as size,
    not row_security_active(c.oid) or exists (
        select from pg_policy p
        where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('*', 'r')
            and pg_get_expr(p.polqual, p.polrelid) = 'true'
            and exists (select from unnest(p.polroles) as r (oid) where r.oid = 0 or pg_has_role(r.oid, 'usage'))
    ) as whole
from pg_class c
join pg_index i on i.indrelid = c.oid and i.indisprimary
cross join lateral (
    select array_agg(a.attname::text order by a.attnum) as names,
        string_agg(quote_ident(a.attname), ', ' order by a.attnum) as list
    from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
) as cols
cross join lateral (
    select string_agg(quote_ident(a.attname) || case when a.attcollation = 0 then '' else ' collate "C"' end, ', '
        order by k.place) as list
    from unnest(i.indkey::smallint[]) with ordinality as k (number, place)
    join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
) as keys
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relpersistence = 'p' and c.relname <> all($1::text[])
order by c.relname;

-- backup_memory: Enough to sort most tables without going to the disk.
set local work_mem = '64MB';

-- target_tables: The tables that are there already, by name.
select c.relname as name
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by c.relname
limit 3;

-- empty_tables: What takes out the rows that migrations wrote, before those of the backup come in.
select format('truncate %s cascade', string_agg(format('public.%I', name), ', ')) from unnest($1::text[]) as name;

-- row_security: What lets the owner write rows by COPY, which row-level security forbids, and what takes that back.
select
    coalesce(string_agg(format('alter table public.%I no force row level security', c.relname), ';'), 'select') as lift,
    coalesce(string_agg(format('alter table public.%I force row level security', c.relname), ';'), 'select') as impose
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relforcerowsecurity;

-- secondary_indexes: What drops the indexes that no constraint needs, and what builds them again once all rows are there.
select
    coalesce(string_agg(format('drop index public.%I', c.relname), ';'), 'select') as lift,
    coalesce(string_agg(pg_get_indexdef(c.oid) || coalesce((
        -- Without this the planner would keep samples of texts again.
        select string_agg(format(';alter index public.%I alter column %s set statistics %s',
            c.relname, a.attnum, a.attstattarget), '')
        from pg_attribute a
        where a.attrelid = c.oid and a.attstattarget >= 0
    ), ''), ';'), 'select') as impose
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_class t on t.oid = i.indrelid
where t.relnamespace = 'public'::regnamespace and t.relname = any($1::text[])
    and not exists (select from pg_constraint k where k.conindid = c.oid);

-- count_on: What lets the sequences of columns go on behind the highest number that came in.
select coalesce(string_agg(format(
    'select setval(%L, coalesce((select max(%I) from public.%I), 0) + 1, false)',
    s.oid::regclass, a.attname, c.relname), ';'), 'select')
from pg_class s
join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i')
join pg_class c on c.oid = d.refobjid
join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
where s.relkind = 'S' and c.relnamespace = 'public'::regnamespace and c.relname = any($1::text[]);

-- build_memory: Enough to build most indexes without going to the disk.
set local maintenance_work_mem = '256MB';

-- learn_sizes: Tell the planner what came in.
analyze;

-- archiving: Whether the log is archived, whether that last failed, the server's version, and about how large it is.
select current_setting('archive_mode') <> 'off' as on,
    coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as failing,
    current_setting('server_version_num')::integer as postgres,
    (select sum(pg_database_size(oid))::bigint from pg_database) as size
from pg_stat_archiver;
