-- What the operations share: ids, refusals, answers, conditions, exactly-once.

set local role pos_owner;

-- Bytes as Crockford's base 32, lower case with `lower`.
create or replace function pos.base32(bytes bytea) returns text
language sql immutable strict parallel safe set search_path = ''
as $$
    with b as (
        select repeat('0', (5 - length(bytes) * 8 % 5) % 5) || ('x' || encode(bytes, 'hex'))::bit varying::text as bits
    )
    select string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',
                             substr(b.bits, i, 5)::bit(5)::int + 1, 1), '' order by i)
      from b, generate_series(1, length(b.bits), 5) as i
$$;

-- `n` random bytes (at most 48) of the server's strong source.
create or replace function pos.random_bytes(n int) returns bytea
language sql volatile parallel safe set search_path = ''
as $$
    select substr(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
               || sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, n)
$$;

-- "ord_" + ULID: sorts by time.
create or replace function pos.new_id(prefix text) returns text
language sql volatile parallel safe set search_path = ''
as $$
    select prefix || '_' || pos.base32(
        substr(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint), 3) || pos.random_bytes(10))
$$;

-- A time as the API writes it.
create or replace function pos.rfc3339(t timestamptz) returns text
language sql stable strict parallel safe set search_path = ''
as $$ select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- A time as a client writes it; one without an offset is in the zone given.
create or replace function pos.instant(t text, zone text) returns timestamptz
language sql stable strict parallel safe set search_path = ''
as $$
    select case when t ~ '([zZ]|[+-]\d\d:?\d\d)$' then t::timestamptz else t::timestamp at time zone zone end
$$;

-- Every refusal leaves by here; nginx makes it a problem by `errcode`.
create or replace function pos.refuse(errcode text, code text, detail text, errors jsonb default null,
    headers jsonb default null, more jsonb default '{}') returns void
language plpgsql set search_path = ''
as $$
begin
    -- It is the client's matter: not an error in the database's log.
    if has_parameter_privilege('log_min_messages', 'set') then
        perform set_config('log_min_messages', 'fatal', true);
    end if;
    raise exception using errcode = refuse.errcode, message = refuse.detail,
        detail = (jsonb_strip_nulls(jsonb_build_object('code', refuse.code, 'detail', refuse.detail,
                                                       'errors', refuse.errors, 'headers', refuse.headers)) || more)::text;
end
$$;

create or replace function pos.refuse_not_found(what text, key text) returns void
language sql set search_path = ''
as $$ select pos.refuse('POS04', 'not_found', format('there is no %s %s', what, quote_literal(key))) $$;

-- One bad field of the body: 422 naming the place.
create or replace function pos.refuse_field(pointer text, code text, message text) returns void
language sql set search_path = ''
as $$
    select pos.refuse('POS00', 'invalid', message,
        jsonb_build_array(jsonb_build_object('pointer', pointer, 'code', code, 'message', message)))
$$;

-- Several, already as an array of {pointer, code, message}; none: goes on.
create or replace function pos.refuse_fields(errors jsonb) returns void
language plpgsql set search_path = ''
as $$
begin
    if jsonb_array_length(errors) > 0 then
        perform pos.refuse('POS00', 'invalid', errors #>> '{0,message}', errors);
    end if;
end
$$;

create or replace function pos.refuse_state(what text, state text, allowed text[]) returns void
language sql set search_path = ''
as $$
    select pos.refuse('POS09', 'illegal_state', format('the %s is %s: %s', what, state,
        case when cardinality(allowed) = 0 then 'it takes no step more' else 'from there it takes ' || array_to_string(allowed, ', ') end), null, null,
        jsonb_build_object('state', state, 'allowed', to_jsonb(allowed)))
$$;

create or replace function pos.refuse_in_use(what text, by text) returns void
language sql set search_path = ''
as $$ select pos.refuse('POS09', 'in_use', format('the %s is in use by %s', what, by)) $$;

-- The body with the path's name in it; another name there is an error.
create or replace function pos.body_named(request jsonb, field text) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    named text := request #>> array['path', field];
begin
    if coalesce(request #>> array['body', field], named) <> named then
        perform pos.refuse_field('/' || field, 'mismatch',
            format('it is %L in the body and %L in the path', request #>> array['body', field], named));
    end if;
    return (request -> 'body') || jsonb_build_object(field, named);
end
$$;

-- Faults for the members of a list of codes that are not among `known`.
create or replace function pos.unknown_codes(pointer text, codes jsonb, what text, known text[]) returns jsonb
language sql immutable set search_path = ''
as $$
    select coalesce(jsonb_agg(jsonb_build_object('pointer', pointer || '/' || (e.i - 1), 'code', 'unknown_' || what,
                                                 'message', format('there is no %s %L', what, e.v)) order by e.i), '[]')
      from jsonb_array_elements_text(coalesce(nullif(codes, 'null'), '[]')) with ordinality as e(v, i)
     where not e.v = any (known)
$$;

-- RFC 3986: a path segment.
create or replace function pos.url_encode(t text) returns text
language sql immutable strict parallel safe set search_path = ''
as $$
    select string_agg(case when c ~ '[A-Za-z0-9._~-]' then c
                           else upper(regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '%\1', 'g')) end, '' order by i)
      from regexp_split_to_table(t, '') with ordinality as x(c, i)
$$;

-- A header by its lower-case name.
create or replace function pos.header(request jsonb, name text) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select h.value from jsonb_each_text(coalesce(nullif(request -> 'headers', 'null'), '{}')) h
     where lower(replace(h.key, '_', '-')) = header.name limit 1
$$;

-- The entity tag names the representation: its content's digest.
create or replace function pos.etag(body jsonb) returns text
language sql immutable strict parallel safe set search_path = ''
as $$ select '"' || left(encode(sha256(convert_to(body::text, 'UTF8')), 'hex'), 32) || '"' $$;

-- RFC 9110 13.1: does a list of entity tags name this one? A weak tag matches
-- where `weak` allows.
create or replace function pos.etag_listed(list text, tag text, weak boolean) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select trim(list) = '*' or exists (
        select from regexp_split_to_table(list, '\s*,\s*') as t(item)
         where tag = case when weak then regexp_replace(trim(t.item), '^W/', '') else trim(t.item) end)
$$;

-- If-Match (or If-None-Match: *) of a change against what is there now (null:
-- nothing is).
create or replace function pos.check_match(request jsonb, current jsonb) returns void
language plpgsql stable set search_path = ''
as $$
declare
    want   text := pos.header(request, 'if-match');
    unwant text := pos.header(request, 'if-none-match');
begin
    if want is not null and (current is null or not pos.etag_listed(want, pos.etag(current), false)) then
        perform pos.refuse('POS12', 'precondition_failed', 'it has changed since the version named by If-Match', null,
                           jsonb_strip_nulls(jsonb_build_object('ETag', pos.etag(current))));
    end if;
    if unwant is not null and current is not null and pos.etag_listed(unwant, pos.etag(current), true) then
        perform pos.refuse('POS12', 'precondition_failed', 'it is already there', null,
                           jsonb_build_object('ETag', pos.etag(current)));
    end if;
end
$$;

create or replace function pos.answer(status int, body jsonb, headers jsonb default '{}') returns pos.response
language sql immutable parallel safe set search_path = ''
as $$ select row(status, body, coalesce(headers, '{}'))::pos.response $$;

-- One resource: 200 with its tag, 304 when the client has it, 404 when null.
create or replace function pos.answer_resource(request jsonb, body jsonb, what text, key text) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    tag text := pos.etag(body);
begin
    if body is null then
        perform pos.refuse_not_found(what, key);
    end if;
    if pos.etag_listed(pos.header(request, 'if-none-match'), tag, true) then
        return pos.answer(304, null, jsonb_build_object('ETag', tag));
    end if;
    return pos.answer(200, body, jsonb_build_object('ETag', tag));
end
$$;

create or replace function pos.page_limit(request jsonb) returns int
language sql immutable parallel safe set search_path = ''
as $$ select least(greatest(coalesce((request #>> '{query,limit}')::int, 50), 1), 200) $$;

-- A cursor is the last key shown, in hex: opaque, and stable under inserts.
create or replace function pos.cursor_write(key text) returns text
language sql immutable strict parallel safe set search_path = ''
as $$ select encode(convert_to(key, 'UTF8'), 'hex') $$;

-- The key a list goes on after; '' for the first page.
create or replace function pos.cursor_read(request jsonb) returns text
language plpgsql stable set search_path = ''
as $$
declare
    cursor_text text := request #>> '{query,after}';
begin
    return coalesce(convert_from(decode(cursor_text, 'hex'), 'UTF8'), '');
exception when others then
    perform pos.refuse_field('/query/after', 'cursor', 'this is not a cursor that a list gave');
end
$$;

-- A page from rows fetched one over the limit, as [{"key": …, "doc": …}, …].
create or replace function pos.answer_page(request jsonb, rows jsonb) returns pos.response
language sql stable parallel safe set search_path = ''
as $$
    with p as (
        select pos.page_limit(request) as n, coalesce(rows, '[]') as r
    ), d as (
        select coalesce(jsonb_agg(e.v -> 'doc' order by e.i), '[]') as data
          from p, jsonb_array_elements(p.r) with ordinality as e(v, i) where e.i <= p.n
    )
    select pos.answer(200, jsonb_build_object('data', d.data, 'has_more', jsonb_array_length(p.r) > p.n,
        'next', case when jsonb_array_length(p.r) > p.n then pos.cursor_write(p.r -> (p.n - 1) ->> 'key') end))
      from p, d
$$;

-- Exactly once. Null: the work is to be done; else the answer given before.
-- A twin at work is told apart by a lock that is only tried, so that it never
-- waits inside PostgreSQL holding a connection. A replay writes, because one
-- that only read could acknowledge what a failover then loses.
create or replace function pos.replayed(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    hashed bytea := sha256(convert_to(request ->> 'idempotency_key', 'UTF8'));
    stored pos.idempotency;
begin
    if hashed is null then
        return null;
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended(pos.current_retailer() || encode(hashed, 'hex'), 0)) then
        perform pos.refuse('POS11', 'in_progress', 'a request with this Idempotency-Key is being worked on');
    end if;
    insert into pos.idempotency (retailer_id, key_hash, request_hash)
    values (pos.current_retailer(), hashed, request ->> 'request_hash') on conflict do nothing;
    if found then
        return null;
    end if;
    update pos.idempotency i set touched_at = now()
     where i.retailer_id = pos.current_retailer() and i.key_hash = hashed returning * into stored;
    if stored.request_hash <> request ->> 'request_hash' then
        perform pos.refuse('POS22', 'idempotency_key_reused', 'this Idempotency-Key came with another request before');
    end if;
    return pos.answer(stored.status, stored.body, stored.headers || '{"Idempotency-Replayed": "true"}');
end
$$;

-- Keeps the answer for a replay, and gives it.
create or replace function pos.remember(request jsonb, answer pos.response) returns pos.response
language plpgsql set search_path = ''
as $$
begin
    if request ->> 'idempotency_key' is not null then
        update pos.idempotency i
           set status = answer.status, body = answer.body, headers = answer.headers
         where i.retailer_id = pos.current_retailer()
           and i.key_hash = sha256(convert_to(request ->> 'idempotency_key', 'UTF8'));
    end if;
    return answer;
end
$$;

create or replace function pos.audited(request jsonb, operation text, kind text, key text, before jsonb, after jsonb)
returns void
language sql set search_path = ''
as $$
    insert into pos.audit (retailer_id, audit_id, actor, operation, kind, key, before, after, request_id)
    values (pos.current_retailer(), pos.new_id('aud'), request #>> '{actor,key_id}', operation, kind, key, before, after,
            request ->> 'request_id')
$$;

-- One event; its aggregate's row must be locked by this transaction.
create or replace function pos.emit(type text, aggregate text, data jsonb) returns void
language sql set search_path = ''
as $$
    insert into pos.event (retailer_id, aggregate, version, id, type, data)
    select pos.current_retailer(), emit.aggregate, coalesce(max(e.version), 0) + 1, pos.new_id('evt'), emit.type, emit.data
      from pos.event e where e.retailer_id = pos.current_retailer() and e.aggregate = emit.aggregate
$$;

-- Forgets answers older than 7 days; posd calls it for each retailer.
create or replace function pos.tidy() returns bigint
language sql set search_path = ''
as $$
    with gone as (
        delete from pos.idempotency i
         where i.retailer_id = pos.current_retailer() and i.created_at < now() - interval '7 days' returning 1)
    select count(*) from gone
$$;

reset role;
