-- find_shared_answer: An answer that has not expired.
select value, cost_seconds, version, date_part('epoch', expires_at) as expires_at from shared_answers
where organisation_id = $1 and user_id = $2 and key = $3 and expires_at > $4;

-- find_kept_answer: The same in tier 3.
select value, cost_seconds, version, date_part('epoch', expires_at) as expires_at from kept_answers
where organisation_id = $1 and user_id = $2 and key = $3 and expires_at > $4;

-- keep_shared_answer: Keep an answer while its user's memory is as it was. The user's row stays locked until it is kept:
-- what forgets a memory waits, and then finds it.
insert into shared_answers (organisation_id, user_id, key, value, cost_seconds, version, expires_at)
select $1, $2, $3, $4, $5, $6, $7
from (
    select 1 where $6::bigint is null
    union all
    select 1 from (
        select 1 from users where organisation_id = $1 and user_id = $2 and memory_version = $6 for share
    ) unchanged
) allowed
on conflict (organisation_id, user_id, key) do update
    set value = excluded.value, cost_seconds = excluded.cost_seconds, version = excluded.version,
        expires_at = excluded.expires_at;

-- keep_kept_answer: The same in tier 3.
insert into kept_answers (organisation_id, user_id, key, value, cost_seconds, version, expires_at)
select $1, $2, $3, $4, $5, $6, $7
from (
    select 1 where $6::bigint is null
    union all
    select 1 from (
        select 1 from users where organisation_id = $1 and user_id = $2 and memory_version = $6 for share
    ) unchanged
) allowed
on conflict (organisation_id, user_id, key) do update
    set value = excluded.value, cost_seconds = excluded.cost_seconds, version = excluded.version,
        expires_at = excluded.expires_at;

-- forget_shared_answers: All of a user.
delete from shared_answers where organisation_id = $1 and user_id = $2;

-- forget_kept_answers: The same in tier 3.
delete from kept_answers where organisation_id = $1 and user_id = $2;

-- clean_answers: Drop what has expired or is too many, and measure what is left.
select entries, bytes from clean_answers($1, $2, $3);
