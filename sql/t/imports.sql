-- Imports: a whole book as one revision, all faults at once, sections kept apart.
begin;
select plan(28);

select (pos.create_retailer('{"code": "acme", "currency": "GBP"}') #>> '{sandbox,retailer_id}') as me \gset
select set_config('pos.retailer', :'me', true) \gset

-- What posd does: stages the document's sections, claims the job and applies it.
create function pg_temp.import(book jsonb) returns jsonb
language plpgsql as $$
declare
    section text; part jsonb; the record;
begin
    perform pos.open_import();
    for section, part in select * from jsonb_each(book) loop
        if section = 'retailer' then
            insert into pg_temp.import_row values (section, 0, part ->> 'code', part);
        elsif jsonb_array_length(part) = 0 then
            insert into pg_temp.import_row values (section, -1, null, null);
        else
            insert into pg_temp.import_row
            select section, e.i - 1, case section when 'promotions' then e.v ->> 'id' when 'coupons' then upper(e.v ->> 'code')
                                                  else coalesce(e.v ->> 'sku', e.v ->> 'code') end, e.v
              from jsonb_array_elements(part) with ordinality as e(v, i);
        end if;
    end loop;
    insert into pos.job (retailer_id, job_id, kind, state) values (pos.current_retailer(), pos.new_id('job'), 'import', 'queued');
    select * into strict the from pos.claim_job(60);
    drop table if exists pg_temp.import_name, pg_temp.import_price, pg_temp.book_change, pg_temp.price_change, pg_temp.import_section;
    return pos.apply_import(the.job_id, the.lease);
end $$;
create function pg_temp.faults(book jsonb) returns text[]
language plpgsql as $$
declare
    detail text;
begin
    perform pg_temp.import(book);
    return null;
exception when sqlstate 'POS00' then
    get stacked diagnostics detail = pg_exception_detail;
    return array(select (e.v ->> 'pointer') || ' ' || (e.v ->> 'code') from jsonb_array_elements(detail::jsonb -> 'errors') with ordinality as e(v, i) order by e.i);
end $$;
create function pg_temp.keys() returns jsonb language sql as
$$ select l.keys from pos.revision_log l where l.retailer_id = pos.current_retailer() order by l.rev desc limit 1 $$;
create function pg_temp.rev() returns bigint language sql as
$$ select r.rev from pos.revision r where r.retailer_id = pos.current_retailer() $$;
grant execute on function pg_temp.import, pg_temp.faults, pg_temp.keys, pg_temp.rev to pos_daemon;
set local role pos_daemon;

select clock_timestamp() as begun \gset
select is(pg_temp.import('{
    "retailer": {"code": "acme", "currency": "GBP", "timezone": "Europe/London"},
    "stores": [{"code": "london", "tax_region": "GB"}],
    "categories": [{"code": "shoes", "parent": "clothing"}, {"code": "clothing"}],
    "products": [{"sku": "S1", "categories": ["shoes"]}, {"sku": "S2"}],
    "price_lists": [{"code": "base", "currency": "GBP", "stores": ["london"]}],
    "prices": [{"sku": "S1", "list": "base", "amount": 4999}, {"sku": "S2", "list": "base", "amount": 100},
               {"sku": "S1", "list": "base", "amount": 3999, "kind": "sale", "until": "2026-12-01T00:00:00"}],
    "taxes": [{"region": "GB", "category": "standard", "code": "vat", "percent": 20}],
    "promotions": [{"id": "p1", "class": "order", "then": [{"percent_off": 10}]}],
    "coupons": [{"code": "Save10", "promotions": ["p1"]}],
    "experiments": []}') -> 'changed', '10', 'a whole book: ten entities');
select is(pg_temp.rev(), 2::bigint, 'one revision');
select is(jsonb_array_length(pg_temp.keys()), 10, 'that lists its keys');
select is((select state from pos.job where retailer_id = pos.current_retailer()), 'succeeded', 'the job is done');
select cmp_ok((select finished_at from pos.job where retailer_id = pos.current_retailer()), '>', :'begun'::timestamptz,
    'when it was done, not when its transaction began');
select is((select type from pos.event where retailer_id = pos.current_retailer() and aggregate like 'job/%'), 'import.completed', 'and said so');
select is((select state || ' ' || published_version from pos.promotion where retailer_id = pos.current_retailer()), 'active 1', 'the promotion is live');
select is((select array_agg(version || ' ' || (reason ~ '^import job_')) from pos.promotion_publication where promotion_id = 'p1'), '{1 true}', 'as one that was published');
select is((select key from pos.book_small where kind = 'coupon'), 'SAVE10', 'the coupon is found in upper case');

select pg_temp.import('{"prices": [{"sku": "S1", "list": "base", "amount": 4999}, {"sku": "S2", "list": "base", "amount": 90},
               {"sku": "S1", "list": "base", "amount": 3999, "kind": "sale", "until": "2026-12-01T00:00:00Z"}]}') as second \gset
select is(pg_temp.keys(), '[["sku", "S2"]]', 'again, with one price changed: one key');
select is((select count(*) from pos.product where retailer_id = pos.current_retailer()), 2::bigint, 'what the document does not have stays');
select pg_temp.import('{"prices": [{"sku": "S1", "list": "base", "amount": 4999}, {"sku": "S2", "list": "base", "amount": 90},
               {"sku": "S1", "list": "base", "amount": 3999, "kind": "sale", "until": "2026-12-01T00:00:00Z"}]}') as third \gset
select is(pg_temp.rev(), 3::bigint, 'the same again makes no revision');

select is(pg_temp.faults('{"prices": [{"sku": "S1", "list": "base", "amount": 1}, {"sku": "S9", "list": "best", "amount": 1}]}'),
    '{"/prices/1/list unknown_price_list","/prices/1/sku unknown_sku"}', 'a price for a product and in a list that are not there');
select is(pg_temp.faults('{"prices": [{"sku": "S1", "list": "base", "amount": 1}, {"sku": "S1", "list": "base", "amount": 1, "min_quantity": 2}, {"sku": "S1", "list": "base", "amount": 2, "kind": "regular", "min_quantity": 1}, {"sku": "S1", "list": "base", "amount": 2, "from": "2026-12-01T00:00:00"}, {"sku": "S1", "list": "base", "amount": 3, "from": "2026-12-01T00:00:00"}]}'),
    '{"/prices/2 duplicate","/prices/4 duplicate"}', 'the same price twice');
select is(pg_temp.faults('{"products": [{"sku": "S1", "categories": ["shoes", "hats"]}, {"sku": "S1"}]}'),
    '{"/products/0/categories/1 unknown_category","/products/1/sku duplicate"}', 'an unknown category, a product twice');
select is(pg_temp.faults('{"categories": [{"code": "shoes"}, {"code": "a", "parent": "b"}, {"code": "b", "parent": "a"}, {"code": "c", "parent": "x"}]}'),
    '{"/categories/1/parent category_cycle","/categories/2/parent category_cycle","/categories/3/parent unknown_category"}', 'rings and loose ends in the tree');
select is(pg_temp.faults('{"stores": [{"code": "london"}, {"code": "mars", "timezone": "Mars/Base"}]}'), '{"/stores/1/timezone unknown_timezone"}', 'a store in no zone that there is');
select is(pg_temp.faults('{"stores": []}'), '{"/stores in_use"}', 'a store that a price list names cannot go');
select is(pg_temp.faults('{"promotions": []}'), '{"/promotions in_use"}', 'nor a promotion that a coupon names');
select is(pg_temp.rev(), 3::bigint, 'refused imports change nothing');
select is((select count(*) from pos.price where retailer_id = pos.current_retailer()), 3::bigint, 'not a price');

select pg_temp.import('{"promotions": [{"id": "p2", "class": "order", "then": []}], "coupons": []}') as fourth \gset
select is((select array_agg(promotion_id || ' ' || state order by promotion_id) from pos.promotion where retailer_id = pos.current_retailer()),
    '{"p1 archived","p2 active"}', 'a section that is present is replaced whole');
select is(pg_temp.keys(), '[["coupon", "SAVE10"], ["promotion", "p1"], ["promotion", "p2"]]', 'and the feed is told what went');
select is((select string_agg(promotion_id || ' ' || ordinal || ' ' || version, ', ' order by promotion_id, ordinal) from pos.promotion_publication), 'p1 1 1, p2 1 1', 'what stayed as it was is not published again');

select pg_temp.import(jsonb_build_object('products', (select jsonb_agg(jsonb_build_object('sku', 'N' || i)) from generate_series(1, 6000) i),
    'prices', '[]'::jsonb)) as fifth \gset
select is((select bulk from pos.revision_log where retailer_id = pos.current_retailer() order by rev desc limit 1), true, 'six thousand are a bulk revision');
select is((select count(*) from pos.book_history where retailer_id = pos.current_retailer() and rev = pg_temp.rev()), 6002::bigint, 'with the history of each, gone ones too');
select set_eq($$ select kind, key, value from pos.book_at(pos.current_retailer(), pg_temp.rev()) $$,
    $$ select kind, key, value from pos.book_small union all select kind, key, value from pos.book_sku $$, 'history at the head is the book');

insert into pos.job (retailer_id, job_id, kind, state) values (:me, 'job_waits', 'import', 'queued');
set local role pos_api;
select clock_timestamp() as begun \gset
select api.cancel_job('{"path": {"id": "job_waits"}, "query": {}, "headers": {}, "actor": {}}') as cancelled \gset
select cmp_ok((select finished_at from pos.job where retailer_id = :me and job_id = 'job_waits'), '>', :'begun'::timestamptz,
    'and so is the end of one that is cancelled');

select * from finish();
rollback;
