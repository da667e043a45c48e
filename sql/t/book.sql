-- A retailer's book: revisions, their chain, history, and what the API answers.
begin;
select plan(49);

select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Europe/London"}') as made \gset
select :'made'::jsonb #>> '{sandbox,retailer_id}' as me \gset
select :'made'::jsonb #>> '{live,retailer_id}' as other \gset
select set_config('pos.retailer', :'me', true) \gset

create function pg_temp.call(op text, path jsonb default '{}', body jsonb default null, more jsonb default '{}') returns pos.response
language plpgsql as $$
declare
    answer pos.response;
begin
    execute format('select * from api.%I($1)', op) into answer
      using jsonb_build_object('path', path, 'query', '{}'::jsonb, 'headers', '{}'::jsonb, 'body', body,
                               'actor', '{"key_id": "key_t", "scopes": ["*"]}'::jsonb, 'idempotency_key', null) || more;
    return answer;
end $$;
-- The code a call is refused with: "POS04 not_found /pointer".
create function pg_temp.refusal(op text, path jsonb default '{}', body jsonb default null, more jsonb default '{}') returns text
language plpgsql as $$
declare
    state text; detail text;
begin
    perform pg_temp.call(op, path, body, more);
    return null;
exception when others then
    get stacked diagnostics state = returned_sqlstate, detail = pg_exception_detail;
    return concat_ws(' ', state, coalesce(detail::jsonb #>> '{errors,0,code}', detail::jsonb ->> 'code'), detail::jsonb #>> '{errors,0,pointer}');
end $$;
grant all on function pg_temp.call, pg_temp.refusal to pos_api;
set local role pos_api;

select is((select count(*) from pos.retailer), 1::bigint, 'nginx sees one retailer');
select is((pg_temp.call('get_retailer')).body ->> 'mode', 'test', 'it is the key''s');
select is((pg_temp.call('put_store', '{"code": "london"}', '{"tax_region": "GB"}')).status, 201, 'a store is created');
select is((pg_temp.call('put_store', '{"code": "london"}', '{"tax_region": "GB"}')).status, 200, 'and put again');
select is((select rev from pos.revision), 2::bigint, 'a put that changes nothing makes no revision');
select is(pg_temp.refusal('put_store', '{"code": "london"}', '{"code": "paris"}'), 'POS00 mismatch /code', 'the body''s code is the path''s');
select is(pg_temp.refusal('put_store', '{"code": "london"}', '{"name": "x"}', '{"headers": {"if-match": "\"old\""}}'),
          'POS12 precondition_failed', 'If-Match of another version');
select is(pg_temp.refusal('put_store', '{"code": "mars"}', '{"timezone": "Mars/Base"}'), 'POS00 unknown_timezone /timezone', 'a store is in a zone that there is');
select is(pg_temp.refusal('get_store', '{"code": "rome"}'), 'POS04 not_found', 'no such store');
select is(pg_temp.refusal('put_category', '{"code": "shoes"}', '{"parent": "clothing"}'), 'POS00 unknown_category /parent', 'a parent must be there');
select is((pg_temp.call('put_category', '{"code": "clothing"}', '{}')).status, 201, 'a root');
select is((pg_temp.call('put_category', '{"code": "shoes"}', '{"parent": "clothing"}')).status, 201, 'a child');
select is(pg_temp.refusal('put_category', '{"code": "clothing"}', '{"parent": "shoes"}'), 'POS00 category_cycle /parent', 'no rings');
select is(pg_temp.refusal('delete_category', '{"code": "clothing"}'), 'POS09 in_use', 'a parent stays');
select is(pg_temp.refusal('put_product', '{"sku": "S1"}', '{"categories": ["shoes", "hats"]}'), 'POS00 unknown_category /categories/1', 'a product''s categories are there');
select is((pg_temp.call('put_product', '{"sku": "S1"}', '{"categories": ["shoes"]}')).status, 201, 'a product');
select is((pg_temp.call('put_price_list', '{"code": "base"}', '{"currency": "GBP"}')).status, 201, 'a list');
select is(pg_temp.refusal('put_prices', '{}', '{"prices": [{"sku": "S1", "list": "base", "amount": 1}, {"sku": "S2", "list": "base", "amount": 1}]}'),
          'POS00 unknown_sku /prices/1/sku', 'a price for a product that is not there');
select is((select count(*) from pos.price), 0::bigint, 'and nothing was taken');
select is(pg_temp.refusal('put_prices', '{}', '{"prices": [{"sku": "S1", "list": "base", "amount": 1}, {"sku": "S1", "list": "base", "amount": 1, "kind": "sale"}, {"sku": "S1", "list": "base", "amount": 2, "kind": "regular", "min_quantity": 1.0}]}'),
          'POS00 duplicate /prices/2', 'the same price twice');
select is((pg_temp.call('put_prices', '{}', '{"prices": [{"sku": "S1", "list": "base", "amount": 1}, {"sku": "S1", "list": "base", "amount": 1, "min_quantity": 5}, {"sku": "S1", "list": "base", "amount": 1, "from": "2026-07-01T00:00:00"}]}')).status, 200,
          'not so by quantity or start');
reset role;
delete from pos.price;
set local role pos_api;
select is((pg_temp.call('put_prices', '{}', '{"prices": [{"sku": "S1", "list": "base", "amount": 4999}, {"sku": "S1", "list": "base", "amount": 3999, "kind": "sale", "from": "2026-07-01T00:00:00"}]}')).status, 200, 'prices');
select is((pg_temp.call('put_prices', '{}', '{"prices": [{"sku": "S1", "list": "base", "amount": 4500}]}')).body, '{"count": 1}', 'one is replaced');
select is((select value::jsonb -> 'prices' from pos.book_rows(pos.current_retailer(), '[["sku", "S1"]]')),
    '[{"list": "base", "kind": "sale", "amount": 3999, "min_quantity": 1, "from": "2026-06-30T23:00:00.000000Z"},
      {"list": "base", "kind": "regular", "amount": 4500, "min_quantity": 1}]',
    'the feed has both, with the sale''s start by the clock of London');
select is(pg_temp.refusal('delete_price_list', '{"code": "base"}'), 'POS09 in_use', 'a list with prices stays');
select is((pg_temp.call('put_tax', '{"region": "GB"}', '{"rows": [{"category": "standard", "code": "vat", "percent": 20}]}')).status, 201, 'a tax region');

-- promotions
select is((pg_temp.call('put_promotion', '{"id": "p"}', '{"id": "p", "class": "line"}', '{"prepared": {"documents": [{"id": "p", "class": "line"}], "source": null}}')).body ->> 'state', 'draft', 'a promotion starts as a draft');
select is((select count(*) from pos.book_small where kind = 'promotion'), 0::bigint, 'which the book does not show');
select is((pg_temp.call('publish_promotion', '{"id": "p"}', null, '{"prepared": {"version": 1, "findings": []}}')).body ->> 'state', 'active', 'published it is active');
select is((pg_temp.call('put_promotion', '{"id": "p"}', '"return promotion {}"', '{"prepared": {"documents": [{"id": "p", "class": "order"}], "source": "return promotion {}"}}')).body ->> 'version', '2', 'a script is its second version');
select is((select value::jsonb ->> 'class' from pos.book_small where kind = 'promotion'), 'line', 'and the first one still sells');
select is((pg_temp.call('publish_promotion', '{"id": "p"}', null, '{"prepared": {"version": 2, "findings": []}}')).body ->> 'published_version', '2', 'until it is published');
select is((select value::jsonb from pos.book_small where kind = 'promotion'), '{"id": "p", "script": "return promotion {}"}', 'the book carries id and source');
select is((pg_temp.call('suspend_promotion', '{"id": "p"}', '{"reason": "oops"}')).body ->> 'suspended_reason', 'oops', 'suspended, and why');
select is((pg_temp.call('publish_promotion', '{"id": "p"}', null, '{"prepared": {"version": 2, "findings": []}}')).body ->> 'state', 'active', 'published once more');
reset role;
set local role pos_daemon;
select is_empty($$ select pos.suspend_quarantined(array[sha256('another')]) $$, 'another source''s quarantine is none of its');
select results_eq($$ select suspended, culprit from pos.suspend_quarantined(array[sha256('another'), sha256('return promotion {}')]) $$,
    $$ values ('p', sha256('return promotion {}')) $$, 'a quarantined source suspends what is published of it');
select is_empty($$ select pos.suspend_quarantined(array[sha256('return promotion {}')]) $$, 'once');
select is((select data ->> 'state' || ' ' || (data ->> 'version') from pos.event where type = 'promotion.suspended' order by version desc limit 1), 'suspended 2', 'with its event');
select is((select count(*) from pos.book_small where kind = 'promotion'), 0::bigint, 'and out of the book');
reset role;
set local role pos_api;
select is((pg_temp.call('get_promotion', '{"id": "p"}')).body ->> 'suspended_reason',
    'its script ran for longer than a script may: its source (SHA-256 ' || encode(sha256('return promotion {}'), 'hex') || ') is quarantined', 'which it says');
select is((pg_temp.call('archive_promotion', '{"id": "p"}')).status, 204, 'archived');
select is(pg_temp.refusal('publish_promotion', '{"id": "p"}'), 'POS09 illegal_state', 'what is archived is not published');
select throws_ok('update pos.promotion_version set reason = null', '42501', null, 'versions cannot be changed');

-- exactly once
select is((pg_temp.call('create_key', '{}', '{"name": "k", "scopes": ["prices:read"]}', '{"idempotency_key": "i1", "request_hash": "h1"}')).body,
          (pg_temp.call('create_key', '{}', '{"name": "k", "scopes": ["prices:read"]}', '{"idempotency_key": "i1", "request_hash": "h1"}')).body,
          'a repeat gets the same answer, secret and all');
select is(pg_temp.refusal('create_key', '{}', '{"name": "x", "scopes": ["prices:read"]}', '{"idempotency_key": "i1", "request_hash": "h2"}'),
          'POS22 idempotency_key_reused', 'another request under that key is refused');
select is(pg_temp.refusal('create_key', '{}', '{"name": "x", "scopes": ["*"]}', '{"actor": {"scopes": ["keys:write"]}}'),
          'POS03 scope_not_held', 'nobody gives away what they do not hold');

-- the chain, from the log's rows alone
select is_empty($$
    select l.rev from pos.revision_log l left join pos.revision_log b on b.rev = l.rev - 1
     where l.hash <> sha256(coalesce(b.hash, decode(repeat('00', 32), 'hex')) || int8send(l.rev) || l.nonce
                            || sha256(convert_to(l.keys::text, 'UTF8')) || l.digest)
        or (b.rev is null and l.rev > 1)
$$, 'the log proves itself');
select set_eq($$ select kind, key, value from pos.book_at(pos.current_retailer(), (select rev from pos.revision)) $$,
    $$ select kind, key, value from pos.book_small union all select kind, key, value from pos.book_sku $$,
    'history at the head is the book');

select * from finish();
rollback;
