-- The chain is written in one statement: to begin one takes longer than to change a row, because the checks of the table
-- are prepared again each time.

create or replace function chain_audit(maximum integer)
returns table (chained bigint, waiting bigint, waiting_seconds double precision)
language plpgsql volatile security definer set search_path = public, pg_temp
    -- By their places in the table, however many there are, and however few there were when it was planned.
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    entry record;
    head audit_heads;
    rows tid[] := '{}';
    numbers bigint[] := '{}';
    previous bytea[] := '{}';
    hashes bytea[] := '{}';
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pronoia.audit', 0)) then
        return next;
        return;
    end if;
    for entry in
        select l.ctid as row, l.organisation_id, l.content_hash
        from audit_log l
        where l.ctid = any (array(select w.ctid from audit_log w where w.number is null order by w.place limit maximum))
        order by l.organisation_id, l.place
    loop
        if head.organisation_id is distinct from entry.organisation_id then
            perform keep_audit_head(head);
            select * into head from audit_heads h where h.organisation_id = entry.organisation_id;
            if not found then
                head := row(entry.organisation_id, 0, decode(repeat('00', 32), 'hex'), now());
            end if;
        end if;
        rows := rows || entry.row;
        previous := previous || head.hash;
        head.number := head.number + 1;
        head.hash := sha256(head.hash || int8send(head.number) || entry.content_hash);
        numbers := numbers || head.number;
        hashes := hashes || head.hash;
    end loop;
    perform keep_audit_head(head);
    update audit_log l
    set number = c.number, previous_hash = c.previous_hash, hash = c.hash
    from unnest(rows, numbers, previous, hashes) as c (row, number, previous_hash, hash)
    where l.ctid = c.row;
    get diagnostics chained = row_count;
    select count(*), coalesce(extract(epoch from clock_timestamp() - min(w.at)), 0) into waiting, waiting_seconds
    from (select l.at from audit_log l where l.number is null order by l.place limit 10001) w;
    return next;
end $$;
