-- What migration 0005 puts into the database for searching: words, and partitions with indexes.
--
-- New chunks come into `chunks_small`, part 0, which has no index that is dear to keep: what a
-- collection has there is searched exactly. What has grown moves to a partition of its own, whose
-- part is the collection's id and which holds one version of it, with an HNSW and a GIN index. So
-- no ingestion waits for an index, and no tenant's rows lie in the index of another.
--
-- Advisory locks, with a collection's id: x'726561' readers against the change of place, x'6D6F76'
-- movers against each other.

-- What the default parser would tear apart or swallow. A hyphen before digits is no minus, and
-- `file.py` no host: their pieces become words. Thousands lose their commas, in questions as well.
-- An identifier goes in whole beside its pieces; so do C++ and C#. Letters and digits part, so that
-- `FY2018` meets 2018.
create function plain_words(body text) returns text language sql immutable parallel safe as $$
    select regexp_replace(
        regexp_replace(body, '(?<=\d),(?=\d{3}(?!\d))', '', 'g'),
        '(?<=\w)(?:[-_/:@#&]+|\.(?=[[:alpha:]]))(?=\w)'
        '|(?<=[[:alpha:]])(?=\d)|(?<=\d)(?=[[:alpha:]])', ' ', 'g')
$$;
create function identifiers(body text) returns tsvector language sql immutable parallel safe as $$
    select array_to_tsvector(coalesce(array_agg(distinct lower(found[1])), '{}'))
    from regexp_matches(
        regexp_replace(body, '(?<=\d),(?=\d{3}(?!\d))', '', 'g'),
        '([[:alnum:]]+(?:[-./:_,#@&+]+[[:alnum:]]+)+|[[:alpha:]][[:alnum:]]*(?:\+\+|#)'
        '|[[:alpha:]]+\d[[:alnum:]]*|\d+[[:alpha:]][[:alnum:]]*)', 'g') found
    where length(found[1]) <= 100
      and found[1] ~ '[[:digit:]_.@#+&]|::' and found[1] !~ '^\d+(\.\d+)?$'
$$;
create function chunk_lexemes(language regconfig, title text, heading text, body text)
returns tsvector language sql immutable parallel safe as $$
    select setweight(to_tsvector(language, plain_words(title)), 'A')
        || setweight(to_tsvector(language, plain_words(heading)), 'B')
        || setweight(to_tsvector(language, plain_words(body)), 'D')
        || identifiers(title || ' ' || heading || ' ' || body)
$$;
create function word_query(word text) returns tsquery language sql immutable parallel safe as $$
    select ('''' || replace(replace(word, '\', '\\'), '''', '''''') || '''')::tsquery
$$;

-- `@@` may not run before the policies, so under row-level security no index on words is used.
-- Hence functions that say themselves what the policies say, and give ids and figures only.
create function may_see(wanted int) returns boolean language sql stable
security definer set search_path = public, pg_temp as $$
    select exists (
        select from collections
        where id = wanted and (
            tenant_id = nullif(current_setting('app.tenant_id', true), '')::int
            or visibility = 'public'
        )
    )
$$;

-- In a collection's own partition, the chunks that have each word: of common ones by what `analyze`
-- has noted, of others counted, up to a number at which a word is hardly rare; and their weight.
create function word_chunks(wanted int, wanted_version int, words text[])
returns table (word text, chunks bigint, weight double precision)
language plpgsql stable
security definer set search_path = public, pg_temp set jit = off as $$
declare
    own text := format('chunks_%s_v%s', wanted, wanted_version);
    total real := (select reltuples from pg_class where oid = to_regclass(own));
    noted text[];
    rates real[];
begin
    if total is null or not may_see(wanted) then
        return;
    end if;
    select s.most_common_elems::text::text[], s.most_common_elem_freqs into noted, rates
    from pg_stats s
    where s.schemaname = 'public' and s.tablename = own and s.attname = 'lexemes';
    foreach word in array words loop
        chunks := (rates[array_position(noted, word)] * total)::bigint;
        if chunks is null then
            execute format(
                'select count(*) from (select from %I where lexemes @@ $1 limit 3000) s', own
            ) into chunks using word_query(word);
        end if;
        weight := ln(1 + greatest(total, 1) / greatest(chunks, 1));
        return next;
    end loop;
end $$;

-- The share of the question's weight that each chunk bears, 0 to 1. Of one word, `ts_rank` grows
-- with its occurrences and levels off, as BM25 does; a word's weight is ln(1 + chunks / with it),
-- counted here unless it is given. Words that no chunk has count for nothing. `cells` holds the allowed values of columns.
create function matching_chunks(
    wanted int, wanted_version int, candidates tsquery, words text[], weights real[],
    fields real[], documents int[], first_page int, last_page int, cells jsonb,
    depth int, best int
) returns table (id bigint, score double precision)
language plpgsql stable
security definer set search_path = public, pg_temp
set jit = off set plan_cache_mode = force_custom_plan as $$
begin
    if not may_see(wanted) then
        return;
    end if;
    return query
    with hit as materialized (
        select c.id, array(
            select ts_rank(fields, c.lexemes, word_query(u.word))
            from unnest(words) with ordinality u (word, n) order by u.n
        ) as ranks
        from chunks c
        where c.part in (0, wanted) and c.collection_id = wanted and c.version = wanted_version
          and c.lexemes @@ candidates
          and (documents is null or c.document_id = any (documents))
          and (first_page is null or c.page >= first_page)
          and (last_page is null or c.page <= last_page)
          and not exists (
              select from jsonb_each(cells) f
              where not coalesce((c.meta -> f.key) ?| array(
                  select jsonb_array_elements_text(f.value)), false))
        limit depth
    ), seen as (
        select r.n, count(*) as hits
        from hit, unnest(hit.ranks) with ordinality r (rank, n) where r.rank > 0 group by r.n
    ), total as (
        select count(*) as chunks from chunks c
        where weights is null and c.part = 0 and c.collection_id = wanted
          and c.version = wanted_version
    ), weighed as (
        select seen.n, coalesce(weights[seen.n], ln(1 + total.chunks / seen.hits::float8)) as weight
        from seen, total
    )
    select hit.id, sum(r.rank * w.weight) / (select sum(weight) from weighed)
    from hit, unnest(hit.ranks) with ordinality r (rank, n) join weighed w using (n)
    group by hit.id order by 2 desc, 1 limit best;
end $$;

-- Collections with so many chunks in part 0 that they should move: after bulk loading, or in the
-- middle of it where that would leave too many to be searched exactly.
create function crowded_collections(fewest int)
returns table (collection_id int, indexed boolean) language sql stable
security definer set search_path = public, pg_temp as $$
    select c.id, to_regclass(format('chunks_%s_v%s', c.id, c.version)) is not null
    from (
        select s.collection_id, s.version, count(*) as chunks
        from chunks_small s join documents d on d.id = s.document_id
        where d.state not in (1, 2) group by 1, 2
    ) s join collections c on c.id = s.collection_id and c.version = s.version
    where s.chunks >= fewest and (s.chunks >= 5 * fewest or not exists (
        select from documents d where d.collection_id = c.id and d.state in (1, 2)))
    order by 1
$$;

-- Copied and indexed beside what is read; then, at once for all readers, in its place. What came
-- meanwhile stays in part 0; what went, or is on its way again, is taken out. The lock on documents
-- keeps a settled one from going, or starting again, before its chunks are where it looks for them.
create function build_partition(wanted int) returns int
language plpgsql
security definer set search_path = public, pg_temp set jit = off set lock_timeout = '5s' as $$
declare
    serving int := (select version from collections where id = wanted);
    own text := format('chunks_%s_v%s', wanted, serving);
    dimension int;
    settled int[];
    moved int;
begin
    -- One of an older version has to go first.
    if serving is null or not pg_try_advisory_xact_lock(x'6D6F76'::int, wanted) or exists (
        select from pg_inherits i join pg_class p on p.oid = i.inhrelid
        where i.inhparent = 'chunks'::regclass and p.relname like format('chunks\_%s\_v%%', wanted)
    ) then
        return 0;
    end if;
    execute format('create table %I (like chunks including defaults)', own);
    execute format(
        'insert into %I (part, id, collection_id, document_id, position, page, text, embedding,'
        '                tenant_id, version, heading, locator, meta, lexemes)'
        ' select $1, id, collection_id, document_id, position, page, text, embedding,'
        '        tenant_id, version, heading, locator, meta, lexemes'
        ' from chunks_small where collection_id = $1 and version = $2', own) using wanted, serving;
    execute format('select vector_dims(embedding) from %I limit 1', own) into dimension;
    if dimension is null then
        execute format('drop table %I', own);
        return 0;
    end if;
    execute format('alter table %1$I add primary key (part, id), add check (part = %2$s)',
                   own, wanted);
    execute format('create index on %I (collection_id)', own);
    execute format('create index on %I (document_id, position)', own);
    execute format('create index on %I using gin (lexemes)', own);
    execute format('create index on %I using hnsw ((embedding::halfvec(%s)) halfvec_ip_ops)'
                   ' with (m = 16, ef_construction = 128)', own, dimension);
    settled := array(select d.id from documents d
                     where d.collection_id = wanted and d.state not in (1, 2) for share);
    execute format('with moved as ('
        ' delete from chunks_small s using %1$I f where s.part = 0 and s.id = f.id'
        ' and s.document_id = any ($1) returning s.id'
        ') delete from %1$I f where not exists (select from moved where moved.id = f.id)', own)
        using settled;
    execute format('analyze %I', own);
    execute format('select count(*) from %I', own) into moved;
    perform pg_advisory_xact_lock(x'726561'::int, wanted);
    execute format('alter table chunks attach partition %I for values in (%s)', own, wanted);
    return moved;
end $$;

-- Later chunks follow in small batches, each into the indexes that are there.
create function fill_partition(wanted int, most int) returns int
language plpgsql
security definer set search_path = public, pg_temp set lock_timeout = '5s' as $$
declare
    serving int := (select version from collections where id = wanted);
    batch bigint[];
    moved int;
begin
    if not pg_try_advisory_xact_lock(x'6D6F76'::int, wanted)
       or to_regclass(format('chunks_%s_v%s', wanted, serving)) is null then
        return 0;
    end if;
    batch := array(select s.id from chunks_small s join documents d on d.id = s.document_id
                   where s.collection_id = wanted and s.version = serving
                     and d.state not in (1, 2) limit most for share of d);
    with gone as (
        delete from chunks_small where part = 0 and id = any (batch) returning *
    )
    insert into chunks (part, id, collection_id, document_id, position, page, text, embedding,
                        tenant_id, version, heading, locator, meta, lexemes)
    select wanted, id, collection_id, document_id, position, page, text, embedding,
           tenant_id, version, heading, locator, meta, lexemes
    from gone;
    get diagnostics moved = row_count;
    return moved;
end $$;

-- Partitions that no search looks into any more: of deleted collections, and of older versions. It
-- needs several tables for itself, one after the other, and gives up before Postgres, after a second,
-- would end a search that holds one of them and waits for the next.
create function drop_partitions() returns int
language plpgsql
security definer set search_path = public, pg_temp set lock_timeout = '500ms' as $$
declare
    unused text;
    dropped int := 0;
begin
    for unused in
        select p.relname from pg_inherits i join pg_class p on p.oid = i.inhrelid
        where i.inhparent = 'chunks'::regclass and p.relname <> 'chunks_small'
          and not exists (select from collections c
                          where p.relname = format('chunks_%s_v%s', c.id, c.version)
                             -- a search that began before the switch still looks there
                             or c.rebuild ? 'switched_at'
                                and p.relname like format('chunks\_%s\_v%%', c.id))
    loop
        execute format('drop table %I', unused);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;

do $$
declare
    called text;
begin
    foreach called in array array[
        'word_chunks', 'matching_chunks', 'crowded_collections', 'build_partition',
        'fill_partition', 'drop_partitions'
    ] loop
        execute format('revoke execute on function %I from public', called);
        execute format('grant execute on function %I to redten_app', called);
    end loop;
end $$;
