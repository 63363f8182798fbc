-- What became of searches: for a query, a memory that was judged or used, and those that were shown beside it. `id` is a
-- UUID version 7, so the order of ids is that of time. A user has few hundred: deleting a memory reads them all.
create table ranking_examples (
    organisation_id uuid not null,
    user_id text not null,
    id uuid not null,
    query text not null,
    memory_id uuid not null,
    shown uuid[] not null,
    helpful boolean not null,
    strength double precision not null check (strength > 0 and strength <= 1),
    primary key (organisation_id, user_id, id),
    foreign key (organisation_id, user_id) references users
);
alter table ranking_examples enable row level security;
alter table ranking_examples force row level security;
create policy tenant on ranking_examples to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on ranking_examples to current_user using (true) with check (true);
revoke all on ranking_examples from public;
grant select, insert, update, delete on ranking_examples to pronoia_app;

-- The weights fitted to a user's examples, null until there are any and again when one of the examples is forgotten.
-- `layout` names what the numbers mean; `served` says whether they beat the prior on examples not learned from yet.
create table ranking_weights (
    organisation_id uuid not null,
    user_id text not null,
    layout text,
    weights double precision[],
    served boolean not null default false,
    fitted_at timestamptz,
    searches bigint not null default 0,
    primary key (organisation_id, user_id),
    foreign key (organisation_id, user_id) references users
);
alter table ranking_weights enable row level security;
alter table ranking_weights force row level security;
create policy tenant on ranking_weights to pronoia_app
    using (organisation_id = current_tenant()) with check (organisation_id = current_tenant());
create policy owner on ranking_weights to current_user using (true) with check (true);
revoke all on ranking_weights from public;
grant select, insert, update, delete on ranking_weights to pronoia_app;
