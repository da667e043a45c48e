-- Stores.

set local role pos_owner;

-- list_stores: GET /v1/stores
create or replace function api.list_stores(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.code, 'doc', t.document) order by t.code))
      from (select x.code, x.document from pos.store x
             where x.retailer_id = pos.current_retailer() and x.code > pos.cursor_read(request)
             order by x.code limit pos.page_limit(request) + 1) t
$$;

-- get_store: GET /v1/stores/{code}
create or replace function api.get_store(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select x.document from pos.store x
          where x.retailer_id = pos.current_retailer() and x.code = request #>> '{path,code}'),
        'store', request #>> '{path,code}')
$$;

-- put_store: PUT /v1/stores/{code}
create or replace function api.put_store(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    before jsonb;
    after  jsonb := pos.body_named(request, 'code');
begin
    if not pos.known_timezone(coalesce(after ->> 'timezone', 'UTC')) then
        perform pos.refuse_field('/timezone', 'unknown_timezone', 'this is no time zone of the IANA database');
    end if;
    perform pos.lock_book();
    loop
        select x.document into before from pos.store x where x.retailer_id = me and x.code = the for update;
        exit when found;
        insert into pos.store (retailer_id, code, document) values (me, the, after) on conflict do nothing;
        exit when found;
    end loop;
    perform pos.check_match(request, before);
    update pos.store x set document = after where x.retailer_id = me and x.code = the and x.document <> after;
    return pos.book_put(request, 'put_store', 'store', the, jsonb_build_array(jsonb_build_array('store', the)),
                        before, after, '/v1/stores/' || pos.url_encode(request #>> '{path,code}'));
end
$$;

-- delete_store: DELETE /v1/stores/{code}
create or replace function api.delete_store(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    before jsonb;
begin
    perform pos.lock_book();
    select x.document into before from pos.store x where x.retailer_id = me and x.code = the for update;
    if before is null then
        perform pos.refuse_not_found('store', request #>> '{path,code}');
    end if;
    perform pos.check_match(request, before);
    if exists (select from pos.price_list l where l.retailer_id = me and l.document -> 'stores' ? the) then
        perform pos.refuse_in_use('store', 'a price list');
    end if;
    if exists (select from pos.api_key k where k.retailer_id = me and k.store = the) then
        perform pos.refuse_in_use('store', 'a key');
    end if;
    delete from pos.store x where x.retailer_id = me and x.code = the;
    return pos.book_put(request, 'delete_store', 'store', the, jsonb_build_array(jsonb_build_array('store', the)),
                        before, null);
end
$$;

reset role;
