-- A promotion's life where only the database sees it: checks that came too early, repeats,
-- the coupons that open it, what differs between two long lists.
begin;
select plan(38);

select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Europe/London"}') as made \gset
select :'made'::jsonb #>> '{sandbox,retailer_id}' as me \gset
select set_config('pos.retailer', :'me', true) \gset

create function pg_temp.call(op text, the text, body jsonb default '{}', more jsonb default '{}') returns pos.response
language plpgsql as $$
declare
    answer pos.response;
begin
    execute format('select * from api.%I($1)', op) into answer
      using jsonb_build_object('path', jsonb_build_object('id', the, 'code', the), 'query', '{}'::jsonb, 'headers', '{}'::jsonb, 'body', body,
                               'actor', '{"key_id": "key_t", "scopes": ["*"]}'::jsonb, 'idempotency_key', null) || more;
    return answer;
end $$;
-- A new version, that what is in `more` says.
create function pg_temp.put(the text, more jsonb default '{}') returns int language sql as
$$ select ((pg_temp.call('put_promotion', the, d.v, jsonb_build_object('prepared', jsonb_build_object('documents', jsonb_build_array(d.v))))).body ->> 'version')::int
     from (select jsonb_build_object('id', the, 'class', 'order', 'then', '[]'::jsonb) || more as v) d $$;
-- Published by what was checked of this version at this revision of the book; the
-- state it is in, or the code it is refused with.
create function pg_temp.publish(the text, version int, revision bigint default null, body jsonb default '{}', more jsonb default '{}') returns text
language plpgsql as $$
declare
    detail text;
begin
    return (pg_temp.call('publish_promotion', the, body, jsonb_build_object('prepared',
        jsonb_build_object('version', version, 'findings', '[]'::jsonb, 'revision', revision)) || more)).body ->> 'state';
exception when others then
    get stacked diagnostics detail = pg_exception_detail;
    return sqlstate || ' ' || (detail::jsonb ->> 'code');
end $$;
create function pg_temp.refusal(op text, the text, body jsonb, who text) returns text language plpgsql as $$
declare
    detail text;
begin
    return (pg_temp.call(op, the, body, jsonb_build_object('actor', jsonb_build_object('key_id', who)))).status;
exception when others then
    get stacked diagnostics detail = pg_exception_detail;
    return sqlstate || ' ' || (detail::jsonb ->> 'code');
end $$;
create function pg_temp.rev() returns bigint language sql as
$$ select r.rev from pos.revision r where r.retailer_id = pos.current_retailer() $$;
-- What the tables say against the newest version: "code to related", sorted.
create function pg_temp.found(the text) returns text language sql as
$$ select coalesce(string_agg(concat_ws(' to ', f ->> 'code', f #>> '{related,0}'), ', ' order by f ->> 'code', f #>> '{related,0}'), 'nothing')
     from jsonb_array_elements(pos.promotion_to_check(jsonb_build_object('id', the)) -> 'findings') f $$;
create function pg_temp.said(the text) returns text language sql as
$$ select f ->> 'message' from jsonb_array_elements(pos.promotion_to_check(jsonb_build_object('id', the)) -> 'findings') f limit 1 $$;
-- As posd makes a batch; the codes are the caller's.
create function pg_temp.batch(codes text[], body jsonb) returns text language plpgsql as $$
declare
    made text := (pg_temp.call('create_coupon_batch', null, body || jsonb_build_object('count', cardinality(codes), 'pattern', 'B-#####-##'))).body ->> 'batch';
    the  record;
begin
    select * into strict the from pos.claim_job(60);
    perform pos.open_coupon_batch(the.job_id);
    insert into pg_temp.coupon_code (code) select unnest(codes);
    perform pos.make_coupon_batch(the.job_id, the.lease);
    return made;
end $$;
grant execute on all functions in schema pg_temp to pos_api, pos_daemon;
set local role pos_api;

-- Two that are checked at once know nothing of each other.
select pg_temp.put('a'), pg_temp.put('b'), pg_temp.rev() as seen \gset
select is(pg_temp.publish('a', 1, :seen), 'active', 'a goes live by the book that was there');
select is(pg_temp.publish('b', 1, :seen), 'POS09 conflict', 'b was checked beside a book without it');
select is((select count(*) from pos.promotion_publication where promotion_id = 'b'), 0::bigint, 'and nothing was published');
select is(pg_temp.publish('b', 1, pg_temp.rev()), 'active', 'checked again it goes');
select pg_temp.rev() as seen \gset
select is((pg_temp.call('suspend_promotion', 'b')).status, 200, 'what changes of itself');
select is((pg_temp.call('put_store', 'london')).status, 201, 'or of a store');
select is(pg_temp.publish('b', 1, :seen), 'active', 'does not matter');
select is((pg_temp.call('patch_retailer', null, '{"optimise": "margin"}')).status, 200, 'another aim');
select is(pg_temp.publish('a', 1, :seen), 'POS09 conflict', 'does');
select is(pg_temp.publish('a', 1, null), 'active', 'a node whose book is behind warns of that instead');
select is(pg_temp.publish('a', 1), 'active', 'nor does one that says nothing');

-- A repeat needs no checks: its answer is there.
select pg_temp.put('a') as n \gset
select is(pos.promotion_to_check('{"id": "a", "publishing": true, "idempotency_key": "k1"}') -> 'version', '2', 'the first time it is checked');
select is(pg_temp.publish('a', 2, null, '{}', '{"idempotency_key": "k1", "request_hash": "h"}'), 'active', 'and published');
select is(pos.promotion_to_check('{"id": "a", "publishing": true, "idempotency_key": "k1"}'), '{"row": null, "replay": true}', 'then not again');
select is((pg_temp.call('publish_promotion', 'a', '{}', '{"idempotency_key": "k1", "request_hash": "h", "prepared": {"version": null, "findings": null}}')).headers ->> 'Idempotency-Replayed',
    'true', 'the answer is the stored one');
select is(pos.promotion_to_check('{"id": "a", "publishing": true, "idempotency_key": "k2"}') -> 'version', '2', 'another key is another request');
select is(pos.promotion_to_check('{"id": "a", "publishing": true}') -> 'version', '2', 'and so is one without');
select is(pos.promotion_to_check('{"id": "a", "publishing": false, "idempotency_key": "k1"}') -> 'version', '2', 'a check is no publication');

-- Coupons that open it.
select pg_temp.put('tea', '{"coupon": true, "stacking": "exclusive"}'), pg_temp.put('mug', '{"coupon": true, "stacking": "exclusive"}'),
       pg_temp.put('only', '{"coupon": true, "stacking": "alone"}'), pg_temp.put('all', '{"coupon": true}'),
       pg_temp.put('pin', '{"coupon": true}') \gset
select pg_temp.publish('mug', 1), pg_temp.publish('only', 1), pg_temp.publish('all', 1) \gset
select is(pg_temp.found('tea'), 'no_coupon', 'no code opens it');
select is((pg_temp.call('put_coupon', 'one', '{"promotions": ["tea", "mug"]}')).status, 201, 'one does, and another');
select is(pg_temp.found('tea'), 'coupon_shared to mug', 'which shares no unit with it');
select is(pg_temp.said('tea'), 'the coupon ''one'' also opens ''mug'', and the two are never given on the same goods', 'which is all that is said');
select is((pg_temp.call('put_coupon', 'one', '{"promotions": ["tea", "only"]}')).status, 200, 'one that goes alone');
select is(pg_temp.said('tea'), 'the coupon ''one'' also opens ''only'', and only one of the two is given in an order', 'keeps it out of the order');
select is((pg_temp.call('put_coupon', 'two', '{"promotions": ["pin", "all"]}')).status, 201, 'two that go together');
select is(pg_temp.found('pin'), 'nothing', 'may have one code');
select is((pg_temp.call('revoke_coupon', 'one', '{"reason": "r"}')).status, 200, 'a revoked code');
select is(pg_temp.found('tea'), 'no_coupon', 'opens nothing');
select is((pg_temp.call('put_coupon', 'late', '{"promotions": ["tea"], "until": "2001-01-01T00:00:00"}')).status, 201, 'nor one that is over');
select is(pg_temp.found('tea'), 'no_coupon', 'does');
reset role;
set local role pos_daemon;
select pg_temp.batch('{B-CCCCC-CC,B-CCCCC-DD,B-CCCCC-FF}', '{"promotions": ["tea", "mug"]}') as batch \gset
reset role;
set local role pos_api;
select is(pg_temp.found('tea'), 'coupon_shared to mug', 'a batch does');
select is(pg_temp.said('tea'), 'the coupon ''B-#####-##'' (and 2 more) also opens ''mug'', and the two are never given on the same goods', 'by its pattern');
select is((pg_temp.call('revoke_coupon_batch', :'batch', '{"reason": "r"}')).status, 200, 'until it is revoked');
select is(pg_temp.found('tea'), 'no_coupon', 'with all its codes');

-- The differences of two long lists.
create function pg_temp.list(n int, by int) returns jsonb language sql as
$$ select jsonb_build_object('sku', jsonb_agg('S' || i * by order by i)) from generate_series(1, n) i $$;
select is(jsonb_array_length(pos.json_diff(pg_temp.list(500, 2), pg_temp.list(500, 3))), 500, 'as many as can be read, one by one');
select is(pos.json_diff(pg_temp.list(8000, 2), pg_temp.list(8000, 3)),
    jsonb_build_array(jsonb_build_object('op', 'replace', 'path', '/sku', 'value', pg_temp.list(8000, 3) -> 'sku')), 'more as one');
select is(pos.json_diff(pg_temp.list(8000, 2), jsonb_set(pg_temp.list(8000, 2), '{sku,4000}', '"X"')),
    '[{"op": "replace", "path": "/sku/4000", "value": "X"}]', 'of a long list what differs');
select is(pos.json_diff('{"a": [1, 2, 3, 9], "b": 1, "c": {"d~/": 1}}', '{"a": [2, 9], "b": null, "e": [1], "c": {"d~/": [1]}}'),
    '[{"op": "replace", "path": "/a/0", "value": 2}, {"op": "remove", "path": "/a/2"}, {"op": "remove", "path": "/a/1"},
      {"op": "replace", "path": "/b", "value": null}, {"op": "replace", "path": "/c/d~0~1", "value": [1]}, {"op": "add", "path": "/e", "value": [1]}]',
    'in an order in which they can be applied');

select * from finish();
rollback;
