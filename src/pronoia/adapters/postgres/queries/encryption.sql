-- data_keys: An organisation's keys, oldest first.
select organisation_id, id, wrapped, master_key_id from data_keys where organisation_id = $1 order by id;

-- add_data_key: Keep an organisation's first key, unless another process was faster.
insert into data_keys (organisation_id, id, wrapped, master_key_id)
select organisation_id, 1, $2, $3 from organisations where organisation_id = $1
on conflict do nothing;

-- list_data_keys: Of all organisations.
select organisation_id, id, wrapped, master_key_id from list_data_keys();

-- rewrap_data_keys: Wrap them by another master key, and count them.
select rewrap_data_keys($1, $2, $3, $4, $5);

-- count_plain: What of an organisation is not encrypted.
select
    (select count(*) from memories where organisation_id = $1 and not is_encrypted(text)) as memories,
    (select count(*) from memory_revisions where organisation_id = $1
        and (not is_encrypted(old_text) or not is_encrypted(new_text))) as revisions,
    (select count(*) from ranking_examples where organisation_id = $1 and not is_encrypted(query)) as examples;

-- plain_memories: Some memories that are not encrypted, locked; what somebody else is writing is left for the next time.
select ctid, user_id, id as bound_to, id, 0::bigint as version, text as first, null as second
from memories
where organisation_id = $1 and (user_id, id) > ($2, $3) and $4::bigint is not null and not is_encrypted(text)
order by user_id, id
limit $5
for no key update skip locked;

-- plain_revisions: The same of earlier texts.
select ctid, user_id, memory_id as bound_to, memory_id as id, version, old_text as first, new_text as second
from memory_revisions
where organisation_id = $1 and (user_id, memory_id, version) > ($2, $3, $4)
    and (not is_encrypted(old_text) or not is_encrypted(new_text))
order by user_id, memory_id, version
limit $5
for no key update skip locked;

-- plain_examples: The same of queries that ranking learns from.
select ctid, user_id, id as bound_to, id, 0::bigint as version, query as first, null as second
from ranking_examples
where organisation_id = $1 and (user_id, id) > ($2, $3) and $4::bigint is not null and not is_encrypted(query)
order by user_id, id
limit $5
for no key update skip locked;

-- encrypt_memories: Put texts in place, by the places of the locked rows.
update memories m set text = n.first
from unnest($2::tid[], $3::text[], $4::text[]) as n (place, first, second)
where m.ctid = n.place and m.organisation_id = $1;

-- encrypt_revisions: The same of earlier texts.
update memory_revisions r set old_text = n.first, new_text = n.second
from unnest($2::tid[], $3::text[], $4::text[]) as n (place, first, second)
where r.ctid = n.place and r.organisation_id = $1;

-- encrypt_examples: The same of queries.
update ranking_examples e set query = n.first
from unnest($2::tid[], $3::text[], $4::text[]) as n (place, first, second)
where e.ctid = n.place and e.organisation_id = $1;

-- drop_answers: Answers hold texts, and nobody keeps any more of them where those are encrypted.
with shared as (
    delete from shared_answers where organisation_id = $1
)
delete from kept_answers where organisation_id = $1;
