-- Products.

set local role pos_owner;

-- list_products: GET /v1/products
create or replace function api.list_products(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.sku, 'doc', t.document) order by t.sku))
      from (select x.sku, x.document from pos.product x
             where x.retailer_id = pos.current_retailer() and x.sku > pos.cursor_read(request)
               and (request #> '{query,sku}' is null or request #> '{query,sku}' ? x.sku)
             order by x.sku limit pos.page_limit(request) + 1) t
$$;

-- get_product: GET /v1/products/{sku}
create or replace function api.get_product(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select x.document from pos.product x
          where x.retailer_id = pos.current_retailer() and x.sku = request #>> '{path,sku}'),
        'product', request #>> '{path,sku}')
$$;

-- put_product: PUT /v1/products/{sku}
create or replace function api.put_product(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,sku}';
    before jsonb;
    after  jsonb := pos.body_named(request, 'sku');
begin
    perform pos.lock_book();
    loop
        select x.document into before from pos.product x where x.retailer_id = me and x.sku = the for update;
        exit when found;
        insert into pos.product (retailer_id, sku, document) values (me, the, after) on conflict do nothing;
        exit when found;
    end loop;
    perform pos.check_match(request, before);
    perform pos.refuse_fields(pos.unknown_codes('/categories', after -> 'categories', 'category',
        array(select c.code from pos.category c where c.retailer_id = me and after -> 'categories' ? c.code)));
    update pos.product x set document = after where x.retailer_id = me and x.sku = the and x.document <> after;
    return pos.book_put(request, 'put_product', 'sku', the, jsonb_build_array(jsonb_build_array('sku', the)),
                        before, after, '/v1/products/' || pos.url_encode(request #>> '{path,sku}'));
end
$$;

-- delete_product: DELETE /v1/products/{sku}
create or replace function api.delete_product(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,sku}';
    before jsonb;
begin
    perform pos.lock_book();
    select x.document into before from pos.product x where x.retailer_id = me and x.sku = the for update;
    if before is null then
        perform pos.refuse_not_found('product', request #>> '{path,sku}');
    end if;
    perform pos.check_match(request, before);
    delete from pos.product x where x.retailer_id = me and x.sku = the;
    return pos.book_put(request, 'delete_product', 'sku', the, jsonb_build_array(jsonb_build_array('sku', the)),
                        before, null);
end
$$;

-- list_product_prices: GET /v1/products/{sku}/prices
create or replace function api.list_product_prices(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    me  bigint := pos.current_retailer();
    the text := request #>> '{path,sku}';
begin
    if not exists (select from pos.product p where p.retailer_id = me and p.sku = the) then
        perform pos.refuse_not_found('product', the);
    end if;
    return pos.answer(200, (
        select jsonb_build_object('data', coalesce(jsonb_agg(jsonb_build_object('sku', the) || r.document order by r.ordinal), '[]'),
                                  'has_more', false, 'next', null)
          from pos.price_row r where r.retailer_id = me and r.sku = the));
end
$$;

reset role;
