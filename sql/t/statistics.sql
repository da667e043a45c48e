-- What is counted of promotions, and how an event tells when a limit is used up by half, by
-- four fifths and whole.
begin;
select plan(25);

select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Asia/Tokyo"}') as made \gset
select :'made'::jsonb #>> '{sandbox,retailer_id}' as me \gset
select pos.create_retailer('{"code": "other", "currency": "GBP", "timezone": "Europe/London"}') as other \gset
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
create function pg_temp.limits(limits text) returns int language sql as $$
    select pg_temp.call('put_promotion', '{"id": "p"}', null, jsonb_build_object('prepared', jsonb_build_object('documents', jsonb_build_array(
        jsonb_build_object('id', 'p', 'class', 'order', 'then', '[]'::jsonb, 'limits', limits::jsonb)))));
    select (pg_temp.call('publish_promotion', '{"id": "p"}', '{}', jsonb_build_object('prepared', jsonb_build_object(
        'version', (select version from pos.promotion where retailer_id = pos.current_retailer() and promotion_id = 'p'), 'findings', '[]'::jsonb)))).status $$;
create function pg_temp.sell(the text, amount bigint) returns text language sql as $$
    select pos.usage_commit(jsonb_build_object('id', the, 'promotions', jsonb_build_array(jsonb_build_object('id', 'p', 'amount', amount)))) ->> 'state' $$;
create function pg_temp.told() returns text language sql as $$
    select string_agg(concat_ws(' ', e.data ->> 'of', e.data ->> 'percent', e.data ->> 'used', e.data ->> 'max'), ', ' order by e.aggregate, e.version)
      from pos.event e where e.retailer_id = pos.current_retailer() and e.type = 'promotion.limit_reached' $$;
grant execute on function pg_temp.call, pg_temp.limits, pg_temp.sell, pg_temp.told to pos_api, pos_daemon;
set local role pos_api;

select is(pg_temp.limits('[{"max": 1000, "of": "amount"}, {"max": 3, "of": "orders", "per": "customer"}]'), 200, 'a budget of 10.00');
select pg_temp.sell('o1', 499) \gset
select is(pg_temp.told(), null, 'a cent less than half');
select pg_temp.sell('o2', 1) \gset
select is(pg_temp.told(), 'amount 50 500 1000', 'half');
select pg_temp.sell('o3', 100) \gset
select is(pg_temp.told(), 'amount 50 500 1000', 'which is told once');
select pos.usage_reserve('{"id": "o4", "promotions": [{"id": "p", "amount": 399}]}') \gset
select is(pg_temp.told(), 'amount 50 500 1000', 'what is reserved is not used');
select is(pos.usage_commit('{"id": "o4"}') ->> 'state', 'committed', 'until the order is there');
select is(pg_temp.told(), 'amount 50 500 1000, amount 80 999 1000', 'four fifths');
select pg_temp.sell('o5', 1) \gset
select is(pg_temp.told(), 'amount 50 500 1000, amount 80 999 1000, amount 100 1000 1000', 'all of it');
select throws_ok($$ select pg_temp.sell('o6', 1) $$, 'POS09', null, 'then there is no more');
select is((pg_temp.call('get_promotion_stats', '{"id": "p"}')).body -> 'limits',
    '[{"of": "amount", "window": "none", "since": null, "max": 1000, "used": 1000, "reserved": 0, "left": 0, "percent": 100}]', 'as the stats say; not of one customer''s');

select pos.usage_release('o4') \gset
select pg_temp.sell('o7', 399) \gset
select is(pg_temp.told(), 'amount 50 500 1000, amount 80 999 1000, amount 100 1000 1000', 'what is given back and used again is no news');

select is(pg_temp.limits('[{"max": 3000, "of": "amount"}]'), 200, 'the budget is raised to 30.00');
select pg_temp.sell('o8', 400) \gset
select is(pg_temp.told(), 'amount 50 500 1000, amount 80 999 1000, amount 100 1000 1000', 'a third of it is used, then less than half');
select pg_temp.sell('o9', 1600) \gset
select is(pg_temp.told(), 'amount 50 500 1000, amount 80 999 1000, amount 100 1000 1000, amount 100 3000 3000', 'one order that uses up the rest is told of once');

select is(pg_temp.limits('[{"max": 3000000000, "of": "amount"}]'), 200, 'a large budget');
select pg_temp.sell('o10', 2000000000) \gset
select is(pg_temp.limits('[{"max": 1, "of": "amount"}]'), 200, 'which is then ended');
select is((pg_temp.call('get_promotion_stats', '{"id": "p"}')).body #> '{limits,0,percent}', '200000300000', 'however far it is used beyond, it can be looked at');

select is(pg_temp.limits('[{"max": 4, "window": "day"}]'), 200, 'four uses a day');
select pos.usage_commit('{"id": "u1", "promotions": [{"id": "p", "uses": 2}]}') \gset
select matches(pg_temp.told(), ', uses 50 2 4$', 'half of them');
select is(((pg_temp.call('get_promotion_stats', '{"id": "p"}')).body #>> '{limits,0,since}')::date, (now() at time zone 'Asia/Tokyo')::date, 'of today by the retailer''s clock');

select pos.promotion_tally('[{"promotion": "p", "currency": "GBP", "evaluated": 5, "applied": 3, "discount": 700, "script_errors": 1, "script_ns": 1500},
    {"promotion": "gone", "currency": "GBP", "evaluated": 1, "applied": 1, "discount": 1, "script_errors": 0, "script_ns": 0},
    {"promotion": "p", "currency": "EUR", "evaluated": 1, "applied": 0, "discount": 0, "script_errors": 0, "script_ns": 0}]') \gset
select pos.promotion_tally('[{"promotion": "p", "currency": "GBP", "evaluated": 1, "applied": 1, "discount": 50, "script_errors": 0, "script_ns": 600}]') \gset
select is((pg_temp.call('get_promotion_stats', '{"id": "p"}')).body -> 'totals',
    '[{"currency": "EUR", "evaluated": 1, "applied": 0, "discount": 0, "script_errors": 0, "script_us": 0},
      {"currency": "GBP", "evaluated": 6, "applied": 4, "discount": 750, "script_errors": 1, "script_us": 2}]', 'counts add up, by currency');
select is((pg_temp.call('get_promotion_stats', '{"id": "p"}')).body #>> '{days,0,day}', (now() at time zone 'Asia/Tokyo')::date::text, 'on the retailer''s day');
select is((select count(*)::int from pos.promotion_stat), 2, 'of a promotion that is not there nothing is counted');
select throws_ok($$ select pos.promotion_tally('[{"promotion": "p", "currency": "GBP", "evaluated": 1, "applied": 2, "discount": 0, "script_errors": 0, "script_ns": 0}]') $$,
    '23514', null, 'more applied than evaluated is no count');
select set_config('pos.retailer', :'other'::jsonb #>> '{sandbox,retailer_id}', true) \gset
select is((select count(*)::int from pos.promotion_stat), 0, 'another retailer sees none of it');

select * from finish();
rollback;
