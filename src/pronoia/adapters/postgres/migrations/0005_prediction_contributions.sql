-- What each user's uses have taught their organisation's prediction, as a sum that can be taken out again: numbers about
-- experts, none about a memory. `layout` names what the numbers mean; those of another layout are not added up.
create table prediction_contributions (
    organisation_id uuid not null,
    user_id text not null,
    layout text not null,
    contribution double precision[] not null,
    primary key (organisation_id, user_id),
    foreign key (organisation_id, user_id) references users
);
alter table prediction_contributions enable row level security;
alter table prediction_contributions force row level security;
create policy tenant on prediction_contributions to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on prediction_contributions to current_user using (true) with check (true);
revoke all on prediction_contributions from public;
grant select, insert, update, delete on prediction_contributions to pronoia_app;

-- Adds to the contributions of many users, of any tenants, at once; `width` numbers of `additions` a user. It runs as
-- the owner, as the log of uses does. Users who are gone by now are left out.
create function add_contributions(
    tenants uuid[], people text[], layout text, width integer, additions double precision[]
) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into prediction_contributions as c (organisation_id, user_id, layout, contribution)
    select u.organisation_id, u.user_id, $3, $5[(t.place - 1) * $4 + 1 : t.place * $4]
    from unnest($1, $2) with ordinality as t (organisation_id, user_id, place)
    join users u on u.organisation_id = t.organisation_id and u.user_id = t.user_id
    order by u.organisation_id, u.user_id
    on conflict (organisation_id, user_id) do update
        set layout = excluded.layout,
            contribution = case when c.layout = excluded.layout
                then (
                    select array_agg(before + added order by place)
                    from unnest(c.contribution, excluded.contribution) with ordinality as s (before, added, place)
                )
                else excluded.contribution end
$$;
revoke all on function add_contributions from public;
grant execute on function add_contributions to pronoia_app;
