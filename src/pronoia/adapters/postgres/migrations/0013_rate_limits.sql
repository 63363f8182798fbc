-- Budgets of rate limits. A crash empties the table, and then every budget is full. `full_at` is in seconds since the
-- epoch: when everything that was taken of a key will have come back. Addresses and the instance belong to the
-- organisation of zeros.
create unlogged table rate_limits (
    organisation_id uuid not null,
    key bytea not null,
    full_at double precision not null,
    spent double precision not null,
    primary key (organisation_id, key)
) with (fillfactor = 50);

alter table rate_limits enable row level security;
alter table rate_limits force row level security;
create policy tenant on rate_limits to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on rate_limits to current_user using (true) with check (true);
revoke all on rate_limits from public;
grant select, insert, update, delete on rate_limits to pronoia_app;

-- Takes cells of several keys, each by itself: as many as are wanted and there, or none if there are fewer than
-- `minima` asks for. The rule is that of resilience/rate_limit.py, on this clock. Keys are locked in one order: two
-- calls would otherwise each wait for the other.
create function take_cells(
    organisations uuid[], keys bytea[], intervals double precision[], limits double precision[],
    wanted double precision[], minima double precision[], returned double precision[]
) returns table (place bigint, cells double precision, backlog_seconds double precision, total double precision)
language plpgsql volatile security definer
set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    moment double precision := extract(epoch from clock_timestamp());
    claim record;
    room double precision;
begin
    for claim in
        select *
        from unnest(organisations, keys, intervals, limits, wanted, minima, returned) with ordinality
            as c (organisation_id, key, cell_seconds, maximum, wanted, minimum, returned, place)
        order by c.organisation_id, c.key
    loop
        insert into rate_limits as r (organisation_id, key, full_at, spent)
        values (claim.organisation_id, claim.key, moment, 0)
        on conflict (organisation_id, key) do update set spent = r.spent - claim.returned
        returning greatest(r.full_at - claim.returned * claim.cell_seconds - moment, 0), r.spent
        into backlog_seconds, total;
        room := claim.maximum - backlog_seconds / claim.cell_seconds;
        cells := case when room >= claim.minimum - 1e-6 then greatest(least(claim.wanted, room), 0) else 0 end;
        backlog_seconds := backlog_seconds + cells * claim.cell_seconds;
        total := total + cells;
        update rate_limits r set full_at = moment + backlog_seconds, spent = total
        where r.organisation_id = claim.organisation_id and r.key = claim.key;
        place := claim.place;
        return next;
    end loop;
end $$;

-- Forgets keys whose budgets have been full for a minute.
create function purge_rate_limits(maximum integer) returns bigint
language sql volatile security definer set search_path = public, pg_temp as $$
    with purged as (
        delete from rate_limits
        where ctid = any (array(
            select ctid from rate_limits
            where full_at < extract(epoch from clock_timestamp()) - 60
            limit maximum
            for update skip locked
        ))
        returning 1
    )
    select count(*) from purged
$$;

revoke execute on function take_cells, purge_rate_limits from public;
grant execute on function take_cells, purge_rate_limits to pronoia_app;
