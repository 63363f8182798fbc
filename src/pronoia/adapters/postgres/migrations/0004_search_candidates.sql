-- The ids of up to `maximum` memories near the vector and up to `maximum` that share words, for the largest users.
-- It runs as the owner: under row-level security full-text search cannot use its index, because `@@` may not see a row
-- before the policy has. So the tenant is part of each query here, and is the one that the transaction stepped into.
create function search_candidates(
    person text, space text, query halfvec, words text, wanted_project text, wanted_tags jsonb, wanted_source text,
    wanted_session text, wanted_agent text, after timestamptz, before timestamptz, wanted_metadata jsonb,
    maximum integer
) returns setof uuid
language plpgsql volatile security definer set search_path = public, pg_temp as $$
declare
    tenant constant uuid := current_tenant();
    found_near integer := 0;
    indexed constant boolean := exists (
        select from users u where u.organisation_id = tenant and u.user_id = person and u.search_state = 'indexed');
    every_word constant tsquery := plainto_tsquery('english', words);
    any_word constant tsquery := replace(every_word::text, '&', '|')::tsquery;
    matches constant text :=
        'organisation_id = $1 and user_id = $2 '
        'and ($3 is null or project_id = $3) and ($4 is null or tags::jsonb @> $4) and ($5 is null or source = $5) '
        'and ($6 is null or session_id = $6) and ($7 is null or agent_id = $7) '
        'and ($8 is null or created_at > $8) and ($9 is null or created_at < $9) '
        'and ($10 is null or metadata::jsonb @> $10)' || case when indexed then ' and approximate' else '' end;
begin
    -- Without it a scan of the shared index ends after its first rows, which may all belong to others.
    perform set_config('hnsw.iterative_scan', 'strict_order', true),
        set_config('hnsw.max_scan_tuples', '100000', true),
        set_config('hnsw.ef_search', least(greatest(maximum, 40), 1000)::text, true);
    if query is not null and indexed then
        return query execute format(
            'select id from memories where %1$s and embedding_space = $11 and vector_dims(embedding) = %2$s '
            'order by (embedding::halfvec(%2$s)) <#> $12 limit $13', matches, vector_dims(query))
        using tenant, person, wanted_project, wanted_tags, wanted_source, wanted_session, wanted_agent, after, before,
            wanted_metadata, space, query, maximum;
        get diagnostics found_near = row_count;
    end if;
    if query is not null and found_near < maximum then
        -- Nobody else's rows are read here. The shared index may end before it has been everywhere, as when rows that
        -- resemble each other lie far from all others; and where few rows match, reading these is the shorter way.
        return query execute format(
            'select id from (select id, embedding from memories '
            'where %1$s and embedding_space = $11 and vector_dims(embedding) = %2$s offset 0) mine '
            'order by (embedding::halfvec(%2$s)) <#> $12 limit $13', matches, vector_dims(query))
        using tenant, person, wanted_project, wanted_tags, wanted_source, wanted_session, wanted_agent, after, before,
            wanted_metadata, space, query, maximum;
    end if;
    if numnode(every_word) > 0 then
        -- Ranking reads the text again, so only the newest of very many matches are ranked; and while a user is not
        -- indexed yet, only the newest memories are looked at.
        return query execute format(
            'with matched as ('
            '(select id, text from %1$s where %2$s and to_tsvector(''english'', text) @@ $11 order by id desc limit 500)'
            ' union '
            '(select id, text from %1$s where %2$s and to_tsvector(''english'', text) @@ $12 order by id desc limit 500)'
            ') select id from matched '
            'order by ts_rank_cd(to_tsvector(''english'', text), $12) desc, id desc limit $13',
            case when indexed then 'memories' else
                '(select * from memories where organisation_id = $1 and user_id = $2 order by id desc limit 2000) m'
            end, matches)
        using tenant, person, wanted_project, wanted_tags, wanted_source, wanted_session, wanted_agent, after, before,
            wanted_metadata, every_word, any_word, maximum;
    end if;
end $$;

revoke execute on function search_candidates from public;
grant execute on function search_candidates to pronoia_app;
