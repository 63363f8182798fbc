-- add_contributions: Add to what users taught their organisations.
select add_contributions($1, $2, $3, $4, $5);

-- organisation_contribution: What all users of an organisation taught it together.
select array(
    select sum(value)
    from prediction_contributions c
    cross join lateral unnest(c.contribution) with ordinality as v (value, place)
    where c.organisation_id = $1 and c.layout = $2
    group by place
    order by place
);

-- user_contribution: What one user taught their organisation.
select contribution from prediction_contributions where organisation_id = $1 and user_id = $2 and layout = $3;
