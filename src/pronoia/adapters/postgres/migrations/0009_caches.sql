-- Answers that may be needed again, as bytes: tier 2 for all processes, tier 3 for longer. Losing them costs time only.
-- An empty user_id is the organisation as a whole. `version` is that of the user's memory that the answer reflects.

-- Not logged: quick to write, and empty after a crash or on a standby.
create unlogged table shared_answers (
    organisation_id uuid not null,
    user_id text not null,
    key bytea not null,
    value bytea not null,
    cost_seconds double precision not null,
    version bigint,
    expires_at timestamptz not null,
    primary key (organisation_id, user_id, key)
);

create table kept_answers (
    organisation_id uuid not null,
    user_id text not null,
    key bytea not null,
    value bytea not null,
    cost_seconds double precision not null,
    version bigint,
    expires_at timestamptz not null,
    primary key (organisation_id, user_id, key)
);

create index shared_answers_by_expiry on shared_answers (expires_at);
create index kept_answers_by_expiry on kept_answers (expires_at);

do $$
declare
    name text;
begin
    foreach name in array array['shared_answers', 'kept_answers'] loop
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

-- Drops what has expired, and of the rest what expires first, until `maximum` are left; says how many and how large.
-- Several processes may clean at once.
create function clean_answers(shared boolean, maximum bigint, moment timestamptz)
returns table (entries bigint, bytes bigint)
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
    name text := case when shared then 'shared_answers' else 'kept_answers' end;
begin
    execute format(
        'delete from %1$I a using ('
        '    select organisation_id, user_id, key from %1$I'
        '    where expires_at <= $2 or expires_at < (select expires_at from %1$I order by expires_at desc offset $1 limit 1)'
        '    for update skip locked'
        ') gone where a.organisation_id = gone.organisation_id and a.user_id = gone.user_id and a.key = gone.key', name)
    using greatest(maximum - 1, 0), moment;
    return query execute format('select count(*), coalesce(sum(length(value)), 0)::bigint from %I', name);
end $$;
revoke execute on function clean_answers from public;
grant execute on function clean_answers to pronoia_app;
