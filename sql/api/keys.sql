-- API keys: shown once, stored as a digest.

set local role pos_owner;

-- A key as the API shows it.
create or replace function pos.key_resource(k pos.api_key) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', k.key_id, 'name', k.name, 'hint', k.hint, 'mode', r.mode, 'scopes', k.scopes, 'store', k.store,
        'expires_at', pos.rfc3339(k.expires_at), 'revoked_at', pos.rfc3339(k.revoked_at), 'created_by', k.created_by,
        'created_at', pos.rfc3339(k.created_at))
      from pos.retailer r where r.retailer_id = k.retailer_id
$$;

-- Each byte of `bytes` xor the pad's: undone by doing it again.
create or replace function pos.masked(bytes bytea, pad bytea) returns bytea
language plpgsql immutable set search_path = ''
as $$
begin
    for i in 0 .. length(bytes) - 1 loop
        bytes := set_byte(bytes, i, get_byte(bytes, i) # get_byte(pad, i));
    end loop;
    return bytes;
end
$$;

-- What hides a secret in the stored answer: known to nobody without the
-- client's Idempotency-Key, of which only a digest is stored. So a replay can
-- show the secret again, and the database alone cannot.
create or replace function pos.secret_pad(request jsonb) returns bytea
language sql immutable set search_path = ''
as $$
    select sha256(convert_to('secret 1 ' || (request ->> 'idempotency_key'), 'UTF8'))
        || sha256(convert_to('secret 2 ' || (request ->> 'idempotency_key'), 'UTF8'))
$$;

-- list_keys: GET /v1/keys
create or replace function api.list_keys(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.key_id, 'doc', pos.key_resource(t)) order by t.key_id))
      from (select k.* from pos.api_key k
             where k.retailer_id = pos.current_retailer() and k.key_id > pos.cursor_read(request)
             order by k.key_id limit pos.page_limit(request) + 1) t
$$;

-- get_key: GET /v1/keys/{id}
create or replace function api.get_key(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select pos.key_resource(k) from pos.api_key k
          where k.retailer_id = pos.current_retailer() and k.key_id = request #>> '{path,id}'),
        'key', request #>> '{path,id}')
$$;

-- create_key: POST /v1/keys. Nobody gives away what they do not hold.
create or replace function api.create_key(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    b      jsonb := request -> 'body';
    held   jsonb := request #> '{actor,scopes}';
    old    pos.response := pos.replayed(request);
    new    record;
    shown  jsonb;
    answer pos.response;
begin
    if old.status is not null then
        shown := to_jsonb(convert_from(pos.masked(decode(old.body ->> 'secret', 'hex'), pos.secret_pad(request)), 'UTF8'));
        return pos.answer(old.status, jsonb_set(old.body, '{secret}', shown), old.headers);
    end if;
    perform pos.lock_book();
    if not held ? '*' and exists (select from jsonb_array_elements_text(b -> 'scopes') s where not held ? s) then
        perform pos.refuse('POS03', 'scope_not_held', 'a key can only be given scopes that this key holds');
    end if;
    if request #>> '{actor,store}' is not null and b ->> 'store' is distinct from request #>> '{actor,store}' then
        perform pos.refuse('POS03', 'store_not_held', 'this key is bound to a store, and so are the keys it makes');
    end if;
    if b ->> 'store' is not null and not exists (
        select from pos.store s where s.retailer_id = me and s.code = b ->> 'store') then
        perform pos.refuse_field('/store', 'unknown_store', format('there is no store %L', b ->> 'store'));
    end if;
    if (b ->> 'expires_at')::timestamptz <= now() then
        perform pos.refuse_field('/expires_at', 'in_the_past', 'the key would have expired already');
    end if;
    select * into strict new from pos.new_key(b ->> 'name', array(select distinct jsonb_array_elements_text(b -> 'scopes') order by 1),
        b ->> 'store', (b ->> 'expires_at')::timestamptz, request #>> '{actor,key_id}');
    select pos.key_resource(k) into strict shown from pos.api_key k where k.retailer_id = me and k.key_id = new.key_id;
    perform pos.audited(request, 'create_key', 'key', new.key_id, null, shown);
    perform pos.book_changed(jsonb_build_array(jsonb_build_array('key', new.hash)));
    answer := pos.answer(201, shown || jsonb_build_object('secret', new.secret),
        jsonb_build_object('Location', '/v1/keys/' || new.key_id, 'Cache-Control', 'no-store', 'Pos-Revision', pos.revision_name()));
    if request ->> 'idempotency_key' is not null then
        perform pos.remember(request, pos.answer(answer.status,
            shown || jsonb_build_object('secret', encode(pos.masked(convert_to(new.secret, 'UTF8'), pos.secret_pad(request)), 'hex')),
            answer.headers));
    end if;
    return answer;
end
$$;

-- revoke_key: DELETE /v1/keys/{id}. Doing it again changes nothing.
create or replace function api.revoke_key(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    pos.api_key;
    before jsonb;
begin
    perform pos.lock_book();
    select * into the from pos.api_key k where k.retailer_id = me and k.key_id = request #>> '{path,id}' for update;
    if the.key_id is null then
        perform pos.refuse_not_found('key', request #>> '{path,id}');
    end if;
    before := pos.key_resource(the);
    perform pos.check_match(request, before);
    if the.revoked_at is null then
        update pos.api_key k set revoked_at = now() where k.retailer_id = me and k.key_id = the.key_id returning * into the;
        perform pos.audited(request, 'revoke_key', 'key', the.key_id, before, pos.key_resource(the));
        perform pos.book_changed(jsonb_build_array(jsonb_build_array('key', the.hash)));
    end if;
    return pos.answer(204, null, jsonb_build_object('Pos-Revision', pos.revision_name()));
end
$$;

reset role;
