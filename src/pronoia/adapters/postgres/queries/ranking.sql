-- add_ranking_example: Keep what became of a search, unless the memory is out of use, and let go of all but the newest $9.
with kept as (
    insert into ranking_examples (organisation_id, user_id, id, query, memory_id, shown, helpful, strength)
    select $1, $2, $3, $4, $5::uuid, array(
        select given.id
        from unnest($6::uuid[]) with ordinality as given (id, place)
        join memories m on m.organisation_id = $1 and m.user_id = $2 and m.id = given.id and m.archived_by is null
        order by given.place
    ), $7, $8
    where exists (
        select from memories where organisation_id = $1 and user_id = $2 and id = $5 and archived_by is null)
    returning 1
),
pruned as (
    delete from ranking_examples
    where organisation_id = $1 and user_id = $2 and id <= (
        select id from ranking_examples
        where organisation_id = $1 and user_id = $2
        order by id desc
        offset $9 - 1 limit 1
    )
)
select exists (select from kept) as kept, count(*) as examples
from ranking_examples
where organisation_id = $1 and user_id = $2 and archived_by is null;

-- ranking_examples: What became of a user's searches, oldest first, but for those that a quarantine took out of use.
select id, query, memory_id, shown, helpful, strength
from ranking_examples
where organisation_id = $1 and user_id = $2 and archived_by is null
order by id;

-- ranking_state: The weights fitted for a user, and how many examples there are.
select w.layout, w.weights, coalesce(w.served, false) as served, w.fitted_at, coalesce(w.searches, 0) as searches,
    (
        select count(*) from ranking_examples e
        where e.organisation_id = $1 and e.user_id = $2 and e.archived_by is null
    ) as examples
from (select) one
left join ranking_weights w on w.organisation_id = $1 and w.user_id = $2;

-- save_ranking_weights: Keep fitted weights, unless one of the examples that they were fitted to went meanwhile.
insert into ranking_weights as w (organisation_id, user_id, layout, weights, served, fitted_at)
select $1, $2, $3, $4, $5, $6
where (
    select count(*) from ranking_examples
    where organisation_id = $1 and user_id = $2 and id = any($7::uuid[]) and archived_by is null
) = cardinality($7)
on conflict (organisation_id, user_id) do update
    set layout = excluded.layout, weights = excluded.weights, served = excluded.served, fitted_at = excluded.fitted_at
returning true;

-- organisation_ranking_weights: How many other users of the organisation are served their own weights, and the mean of
-- those.
select count(distinct user_id) as users, array(
    select avg(o.weights[place])
    from ranking_weights o, generate_subscripts(o.weights, 1) place
    where o.organisation_id = $1 and o.user_id <> $2 and o.layout = $3 and o.served
    group by place
    order by place
) as weights
from ranking_weights
where organisation_id = $1 and user_id <> $2 and layout = $3 and served;

-- count_searches: Add to the searches of users of one organisation.
insert into ranking_weights as w (organisation_id, user_id, searches)
select u.organisation_id, u.user_id, t.searches
from unnest($2::text[], $3::bigint[]) as t (user_id, searches)
join users u on u.organisation_id = $1 and u.user_id = t.user_id
order by u.user_id
on conflict (organisation_id, user_id) do update set searches = w.searches + excluded.searches;

-- feedback_summary: How often a user judged, and how satisfied they were on average.
select count(*) filter (where helpful) as positive, count(*) filter (where not helpful) as negative,
    avg(satisfaction) as satisfaction
from feedback
where organisation_id = $1 and user_id = $2;
