-- Coupons. A code is found in any case, by its upper-case form.

set local role pos_owner;

-- list_coupons: GET /v1/coupons
create or replace function api.list_coupons(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.code, 'doc', t.document) order by t.code))
      from (select x.code, x.document from pos.coupon x
             where x.retailer_id = pos.current_retailer() and x.code > pos.cursor_read(request)
             order by x.code limit pos.page_limit(request) + 1) t
$$;

-- get_coupon: GET /v1/coupons/{code}
create or replace function api.get_coupon(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select x.document from pos.coupon x
          where x.retailer_id = pos.current_retailer() and x.code = upper((request #>> '{path,code}') collate "C")),
        'coupon', request #>> '{path,code}')
$$;

-- put_coupon: PUT /v1/coupons/{code}
create or replace function api.put_coupon(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := upper((request #>> '{path,code}') collate "C");
    before jsonb;
    after  jsonb := pos.body_named(request, 'code');
begin
    perform pos.lock_book();
    loop
        select x.document into before from pos.coupon x where x.retailer_id = me and x.code = the for update;
        exit when found;
        insert into pos.coupon (retailer_id, code, document) values (me, the, after) on conflict do nothing;
        exit when found;
    end loop;
    perform pos.check_match(request, before);
    perform pos.refuse_fields(pos.unknown_codes('/promotions', after -> 'promotions', 'promotion',
        array(select p.promotion_id from pos.promotion p
               where p.retailer_id = me and p.state <> 'archived' and after -> 'promotions' ? p.promotion_id)));
    update pos.coupon x set document = after where x.retailer_id = me and x.code = the and x.document <> after;
    return pos.book_put(request, 'put_coupon', 'coupon', the, jsonb_build_array(jsonb_build_array('coupon', the)),
                        before, after, '/v1/coupons/' || pos.url_encode(request #>> '{path,code}'));
end
$$;

-- delete_coupon: DELETE /v1/coupons/{code}
create or replace function api.delete_coupon(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := upper((request #>> '{path,code}') collate "C");
    before jsonb;
begin
    perform pos.lock_book();
    select x.document into before from pos.coupon x where x.retailer_id = me and x.code = the for update;
    if before is null then
        perform pos.refuse_not_found('coupon', request #>> '{path,code}');
    end if;
    perform pos.check_match(request, before);
    delete from pos.coupon x where x.retailer_id = me and x.code = the;
    return pos.book_put(request, 'delete_coupon', 'coupon', the, jsonb_build_array(jsonb_build_array('coupon', the)),
                        before, null);
end
$$;

reset role;
