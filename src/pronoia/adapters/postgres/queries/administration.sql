-- role_exists: Whether the cluster knows a role.
select exists (select from pg_roles where rolname = $1);

-- database_exists: Whether the cluster has a database.
select exists (select from pg_database where datname = $1);

-- create_owner: The owner of the embedded database. It may log in, and nothing else beyond what it owns.
create role pronoia login;

-- create_database: The embedded database.
create database pronoia owner pronoia;

-- let_owner_become_app: Let the owner of the embedded database step down to the role without rights.
grant pronoia_app to pronoia with inherit false, set true;

-- server_version: The version of PostgreSQL as a number, such as 160004.
select current_setting('server_version_num')::int;

-- who: The role that connects, as SQL writes it.
select quote_ident(current_user);

-- vector_version: The version of pgvector in this database, as numbers; null if it is not installed.
select (select string_to_array(extversion, '.')::int[] from pg_extension where extname = 'vector');

-- vector_schema: Where the types of pgvector are.
select nspname from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.oid = 'halfvec'::regtype;

-- create_vector: Install pgvector.
create extension if not exists vector;

-- app_role: What the role without rights could do beyond its grants, and whether we may become it.
select rolsuper or rolbypassrls as unsafe, pg_has_role(current_user, oid, 'set') as usable
from pg_roles
where rolname = 'pronoia_app';

-- create_app_role: The role under which every statement runs: it owns nothing and obeys row-level security.
create role pronoia_app nologin nosuperuser nobypassrls nocreatedb nocreaterole noinherit;

-- become_app_role: Let whoever connects step down to that role, without having its rights before.
grant pronoia_app to current_user with inherit false, set true;

-- limit_lock_wait: A migration that waits longer for a lock gives up rather than queue everyone behind it.
set local lock_timeout = '3s';

-- migration_lock: One migration at a time. Held to the end of the transaction.
select pg_advisory_xact_lock(hashtextextended('pronoia.migrations', 0));

-- migrations_known: Whether this database was ever migrated.
select to_regclass('schema_migrations') is not null;

-- create_migrations: Remembers which migrations were applied, and the SHA-256 of their text.
create table if not exists schema_migrations (
    number integer primary key,
    name text not null,
    checksum bytea not null,
    applied_at timestamptz not null default now()
);

-- migrations_applied: The applied migrations in order.
select number, name, checksum from schema_migrations order by number;

-- note_migration: Remember an applied migration.
insert into schema_migrations (number, name, checksum) values ($1, $2, $3);
