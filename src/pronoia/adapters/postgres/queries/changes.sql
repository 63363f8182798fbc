-- announce: Tell everybody who listens.
select pg_notify('pronoia_changes', payload) from unnest($1::text[]) as payload;

-- ping: Whether anybody is there.
select 1;
