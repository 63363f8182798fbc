-- Statements run as pronoia_app, which sees the rows of the organisation in app.tenant and nothing else. A setting that
-- was never made is null and one that was reset is empty; both see no row. The owner sees all rows, so that the few
-- functions it lends to pronoia_app can work across organisations; forcing makes that an explicit policy.

create function current_tenant() returns uuid
language sql stable parallel safe
return nullif(current_setting('app.tenant', true), '')::uuid;

do $$
declare
    name text;
begin
    foreach name in array array[
        'organisations', 'api_keys', 'users', 'memories', 'memory_usage', 'accesses', 'feedback', 'relationships',
        'removals', 'memory_revisions', 'idempotency_keys', 'work'
    ] loop
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
