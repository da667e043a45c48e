-- Price lists.

set local role pos_owner;

-- list_price_lists: GET /v1/price-lists
create or replace function api.list_price_lists(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.code, 'doc', t.document) order by t.code))
      from (select x.code, x.document from pos.price_list x
             where x.retailer_id = pos.current_retailer() and x.code > pos.cursor_read(request)
             order by x.code limit pos.page_limit(request) + 1) t
$$;

-- get_price_list: GET /v1/price-lists/{code}
create or replace function api.get_price_list(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select x.document from pos.price_list x
          where x.retailer_id = pos.current_retailer() and x.code = request #>> '{path,code}'),
        'price list', request #>> '{path,code}')
$$;

-- put_price_list: PUT /v1/price-lists/{code}
create or replace function api.put_price_list(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    before jsonb;
    after  jsonb := pos.body_named(request, 'code');
begin
    perform pos.lock_book();
    loop
        select x.document into before from pos.price_list x where x.retailer_id = me and x.code = the for update;
        exit when found;
        insert into pos.price_list (retailer_id, code, document) values (me, the, after) on conflict do nothing;
        exit when found;
    end loop;
    perform pos.check_match(request, before);
    perform pos.refuse_fields(pos.unknown_codes('/stores', after -> 'stores', 'store',
        array(select s.code from pos.store s where s.retailer_id = me and after -> 'stores' ? s.code)));
    update pos.price_list x set document = after where x.retailer_id = me and x.code = the and x.document <> after;
    return pos.book_put(request, 'put_price_list', 'price_list', the, jsonb_build_array(jsonb_build_array('price_list', the)),
                        before, after, '/v1/price-lists/' || pos.url_encode(request #>> '{path,code}'));
end
$$;

-- delete_price_list: DELETE /v1/price-lists/{code}
create or replace function api.delete_price_list(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    before jsonb;
begin
    perform pos.lock_book();
    select x.document into before from pos.price_list x where x.retailer_id = me and x.code = the for update;
    if before is null then
        perform pos.refuse_not_found('price list', request #>> '{path,code}');
    end if;
    perform pos.check_match(request, before);
    if exists (select from pos.price p where p.retailer_id = me and p.list = the) then
        perform pos.refuse_in_use('price list', 'a price');
    end if;
    delete from pos.price_list x where x.retailer_id = me and x.code = the;
    return pos.book_put(request, 'delete_price_list', 'price_list', the, jsonb_build_array(jsonb_build_array('price_list', the)),
                        before, null);
end
$$;

reset role;
