-- What a change of a few rows reads does not follow what other retailers have.
begin;
select plan(9);

select (pos.create_retailer('{"code": "small", "currency": "GBP"}') #>> '{live,retailer_id}') as small \gset
select (pos.create_retailer('{"code": "large", "currency": "GBP"}') #>> '{live,retailer_id}') as large \gset

create function pg_temp.fill(retailer text, n int) returns void language plpgsql as $$
begin
    perform set_config('pos.retailer', retailer, true);
    insert into pos.price_list (retailer_id, code, document) values (retailer::bigint, 'base', '{"code": "base"}');
    insert into pos.product (retailer_id, sku, document)
    select retailer::bigint, 'S' || i, jsonb_build_object('sku', 'S' || i, 'name', repeat('n', 100)) from generate_series(1, n) i;
    insert into pos.price (retailer_id, sku, ordinal, list, kind, min_quantity, price_amount)
    select retailer::bigint, 'S' || i, 1, 'base', 'regular', 1, i from generate_series(1, n) i;
end $$;
select pg_temp.fill(:'large', 30000), pg_temp.fill(:'small', 200) \gset ignored_
select set_config('pos.retailer', :'large', true) \gset
insert into pos.coupon (retailer_id, code, document, batch_id)
select :large, 'C' || lpad(i::text, 6, '0'), '{"promotions": ["q1"], "remaining": 5}', case when i > 59980 then 'cbt_1' end from generate_series(1, 60000) i;
insert into pos.promotion (retailer_id, promotion_id, state, version, published_version) select :large, 'q' || i, 'active', 1, 1 from generate_series(1, 20000) i;
insert into pos.promotion_version (retailer_id, promotion_id, version, document, summary)
select :large, 'q' || i, 1, '{}', jsonb_build_object('limits', '[{"max": 1000000}]'::jsonb) from generate_series(1, 20000) i;
select set_config('pos.retailer', :'small', true) \gset
insert into pos.promotion (retailer_id, promotion_id, state, version, published_version) values (:small, 'p', 'active', 1, 1);
insert into pos.promotion_version (retailer_id, promotion_id, version, document, summary) values (:small, 'p', 1, '{"id": "p"}', '{"id": "p"}');
analyze;

-- The pages that a statement touches: the largest of some runs, so that the plan
-- that is kept is among them.
create function pg_temp.pages(statement text) returns int language plpgsql as $$
declare
    plan jsonb; most int := 0;
begin
    for i in 1 .. 8 loop
        execute 'explain (analyze, buffers, format json) ' || statement into plan;
        if i > 1 then
            most := greatest(most, (plan #>> '{0,Plan,Shared Hit Blocks}')::int + (plan #>> '{0,Plan,Shared Read Blocks}')::int);
        end if;
    end loop;
    return most;
end $$;
grant execute on function pg_temp.pages to pos_daemon, pos_api;
set local role pos_daemon;

select cmp_ok(pg_relation_size('pos.product') / 8192, '>', 500::bigint, 'the large retailer has hundreds of pages of products');
select cmp_ok(pg_temp.pages(format($$select * from pos.book_rows(%s, '[["promotion", "p"]]')$$, :'small')), '<', 100,
    'a promotion is read with a few of them');
select cmp_ok(pg_temp.pages(format($$select * from pos.book_rows(%s, '[["sku", "S7"], ["sku", "none"]]')$$, :'small')), '<', 100,
    'and so is a product');
select is((select string_agg(r.kind || '/' || r.key || coalesce(' ' || (r.value::jsonb ->> 'sku'), ''), ', ' order by r.kind, r.key)
             from pos.book_rows(:small, '[["sku", "S7"], ["sku", "none"], ["promotion", "p"]]') r),
    'promotion/p, sku/S7 S7, sku/none', 'they are what was asked for');

-- Nor what an order takes of coupons and limits, what the retailer itself has.
set local role pos_api;
select set_config('pos.retailer', :'large', true) \gset
select cmp_ok(pg_relation_size('pos.coupon') / 8192, '>', 700::bigint, 'the large retailer has hundreds of pages of coupons');
select cmp_ok(pg_temp.pages($$select pos.usage_reserve('{"id": "o1", "coupons": ["c000007", "c050000"], "promotions": [{"id": "q7"}, {"id": "q19000"}]}')$$), '<', 600,
    'a cart reserves two of its coupons');
select cmp_ok(pg_temp.pages($$select pos.usage_faults('{"coupons": ["c000007", "none"], "promotions": [{"id": "q7"}, {"id": "none"}]}')$$), '<', 100,
    'whether they stand is seen');
select cmp_ok(pg_temp.pages($$select api.list_coupons('{"query": {"batch": "cbt_1", "limit": "2"}}')$$), '<', 200, 'a batch''s codes are listed');
select is(array(select e ->> 'code' from api.list_coupons('{"query": {"batch": "cbt_1", "limit": "2"}}') r, jsonb_array_elements(r.body -> 'data') e)
       || array(select e ->> 'batch' from api.list_coupons('{"query": {"limit": "2"}}') r, jsonb_array_elements(r.body -> 'data') e), '{NULL,NULL,NULL,NULL}', 'its own, and all');

select * from finish();
rollback;
