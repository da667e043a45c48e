-- Coupons: how a code stands, batches and their past, counting by window and customer.
begin;
select plan(80);

select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Europe/London"}') as made \gset
select :'made'::jsonb #>> '{sandbox,retailer_id}' as me \gset
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
-- What a statement is refused with: "POS09 coupon_used_up: /coupons/0 coupon_used_up, …".
create function pg_temp.refusal(statement text) returns text
language plpgsql as $$
declare
    state text; detail text;
begin
    execute statement;
    return null;
exception when others then
    get stacked diagnostics state = returned_sqlstate, detail = pg_exception_detail;
    return state || ' ' || (detail::jsonb ->> 'code') || coalesce(': ' || (
        select string_agg(e ->> 'pointer' || ' ' || (e ->> 'code'), ', ') from jsonb_array_elements(detail::jsonb -> 'errors') e), '');
end $$;
create function pg_temp.state(the text) returns text language sql as
$$ select concat_ws(' ', b ->> 'state', b ->> 'used', b ->> 'reserved') from (select (pg_temp.call('get_coupon', jsonb_build_object('code', the))).body as b) x $$;
-- As posd makes a batch; the codes are the caller's.
create function pg_temp.make(batch text, codes text[]) returns jsonb language plpgsql as $$
declare
    the record;
begin
    select * into strict the from pos.claim_job(60);
    perform pos.open_coupon_batch(the.job_id);
    insert into pg_temp.coupon_code (code) select unnest(codes);
    return pos.make_coupon_batch(the.job_id, the.lease);
end $$;
-- What an import of these documents is told: its messages.
create function pg_temp.import(the_section text, docs jsonb) returns text[] language plpgsql as $$
declare
    detail text;
begin
    perform pos.open_import();
    insert into pg_temp.import_row
    select the_section, e.i - 1, case the_section when 'coupons' then upper(e.v ->> 'code') else e.v ->> 'id' end, e.v
      from jsonb_array_elements(docs) with ordinality as e(v, i);
    insert into pos.job (retailer_id, job_id, kind, state, lease) values (pos.current_retailer(), pos.new_id('job'), 'import', 'running', 1) returning job_id into detail;
    drop table if exists pg_temp.import_name, pg_temp.import_price, pg_temp.book_change, pg_temp.price_change, pg_temp.import_section;
    perform pos.apply_import(detail, 1);
    return null;
exception when sqlstate 'POS00' then
    get stacked diagnostics detail = pg_exception_detail;
    return array(select concat_ws(' ', e.v ->> 'pointer', e.v ->> 'code', e.v ->> 'message') from jsonb_array_elements(detail::jsonb -> 'errors') with ordinality as e(v, i) order by e.i);
end $$;
create function pg_temp.lapse(the text) returns text language sql as $$
    update pos.usage set expires_at = clock_timestamp() - interval '1 s' where usage_id = the;
    update pos.usage_line set expires_at = clock_timestamp() - interval '1 s' where usage_id = the;
    select pos.usage_read(the) ->> 'state' $$;
grant execute on function pg_temp.call, pg_temp.refusal, pg_temp.state, pg_temp.make, pg_temp.import, pg_temp.lapse to pos_api, pos_daemon;
set local role pos_api;

select is((pg_temp.call('put_promotion', '{"id": "p"}', null, '{"prepared": {"documents": [{"id": "p", "class": "order", "then": [], "limits": [
    {"max": 5, "of": "uses", "per": "order"}, {"max": 100, "of": "amount", "window": "week"}, {"max": 2, "of": "orders", "per": "customer", "window": "day"}, {"max": 9, "per": "store"}]}]}}')).status, 201, 'a promotion with limits');
select is((pg_temp.call('publish_promotion', '{"id": "p"}', '{}', '{"prepared": {"version": 1, "findings": []}}')).status, 200, 'is published');
select is((pg_temp.call('put_coupon', '{"code": "Two"}', '{"promotions": ["p"], "remaining": 2, "per_customer": 1}')).status, 201, 'a coupon for two');
select is(pg_temp.refusal($$select pg_temp.call('put_coupon', '{"code": "X"}', '{"promotions": ["q"], "from": "2027-01-02T00:00:00", "until": "2027-01-01T23:00:00Z"}')$$),
    'POS00 invalid: /promotions/0 unknown_promotion, /until empty_window', 'all that is wrong with one, its times by the clock of London');
select is(pg_temp.state('two'), 'active 0 0', 'found in any case');

-- counting
select is(pos.usage_reserve('{"id": "o1", "coupons": ["two", "TWO"], "customer": "c1", "promotions": [{"id": "p", "uses": 2, "amount": 60}], "store": "s", "at": "2026-11-29T23:30:00Z"}') ->> 'state', 'held', 'a cart holds it');
select is((select string_agg(concat_ws('/', c.kind, c.of, c.per, c.subject, c.span, c.since, c.reserved), ' ' order by c.kind, c.of, c.per) from pos.usage_counter c),
    'coupon/orders/all//none/1970-01-01/1 coupon/orders/customer/c1/none/1970-01-01/1 promotion/amount/all//week/2026-11-23/60 promotion/orders/customer/c1/day/2026-11-29/1 promotion/uses/store/s/none/1970-01-01/2',
    'once, and of each limit but the order''s own; half past eleven on Sunday in London is that day and that week');
select is(pg_temp.state('TWO'), 'active 0 1', 'one is left');
select is(pg_temp.refusal($$select pos.usage_reserve('{"id": "o2", "coupons": ["two"], "customer": "c1", "promotions": [{"id": "p", "amount": 41}], "at": "2026-11-27T12:00:00Z"}')$$),
    'POS09 coupon_used_up: /coupons/0 coupon_used_up, /promotions/0 budget_reached', 'not twice for a customer; the week has 40 left');
select is(pos.usage_reserve('{"id": "o2", "coupons": ["two"], "promotions": [{"id": "p", "amount": 40}], "at": "2026-11-27T12:00:00Z"}') ->> 'state', 'held', 'another may, who is nobody');
select is(pg_temp.state('TWO'), 'reserved 0 2', 'all that is left is reserved');
select is(pos.usage_reserve('{"id": "o2", "coupons": ["two"], "promotions": [{"id": "p", "amount": 10}], "at": "2026-11-27T12:00:00Z"}') #>> '{counters,1,quantity}', '10', 'the cart changes: it holds what it holds now');
select is((select reserved from pos.usage_counter where of = 'amount'), 70::bigint, 'and the rest is back');
select is(pos.usage_commit('{"id": "o2"}') ->> 'state', 'committed', 'it is bought');
select is(pos.usage_commit('{"id": "o2"}') ->> 'state', 'committed', 'and bought again, which changes nothing');
select is(pg_temp.refusal($$select pos.usage_reserve('{"id": "o2", "coupons": []}')$$), 'POS09 illegal_state', 'what is bought is not reserved');
select is(pos.usage_commit('{"id": "o1", "coupons": ["two"], "customer": "c1"}') -> 'counters' @> '[{"of": "amount", "state": "released"}]', true, 'the other pays, less the promotion');
select is(pg_temp.state('two'), 'used_up 2 0', 'used up');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "o3", "coupons": ["two", "none"], "promotions": [{"id": "q"}]}')$$),
    'POS00 invalid: /coupons/1 unknown_coupon, /promotions/0/id unknown_promotion', 'what is not there is named first');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "o3", "coupons": ["two"]}')$$), 'POS09 coupon_used_up: /coupons/0 coupon_used_up', 'too late');
select is((select count(*) from pos.usage where usage_id = 'o3'), 0::bigint, 'who is refused leaves nothing');
select is(pos.usage_release('o1') ->> 'state', 'released', 'an order is cancelled');
select is(pos.usage_release('o1') ->> 'state', 'released', 'twice');
select is(pg_temp.state('two'), 'active 1 0', 'and gives one back, once');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "o1"}')$$), 'POS09 illegal_state', 'it is not bought after that');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "o9"}')$$), 'POS04 not_found', 'nor one that nobody reserved');
select is(pg_temp.refusal($$select pos.usage_release('o9')$$), 'POS04 not_found', 'nor is that released');

-- time
select pos.usage_reserve('{"id": "slow", "coupons": ["two"], "customer": "c3"}') as held \gset
update pos.usage set expires_at = clock_timestamp() - interval '1 s' where usage_id = 'slow';
update pos.usage_line set expires_at = clock_timestamp() - interval '1 s' where usage_id = 'slow';
select is(pos.usage_read('slow') ->> 'state', 'expired', 'a hold is over');
select is(pg_temp.state('two'), 'active 1 0', 'before anybody swept it up');
select is(pos.usage_commit('{"id": "slow"}') ->> 'state', 'committed', 'it is bought late: nobody else wanted it');
select pos.usage_release('slow') as released \gset
select pos.usage_reserve('{"id": "slow", "coupons": ["two"], "customer": "c3"}') as held \gset
update pos.usage set expires_at = clock_timestamp() - interval '1 s' where usage_id = 'slow';
update pos.usage_line set expires_at = clock_timestamp() - interval '1 s' where usage_id = 'slow';
select is(pos.usage_commit('{"id": "quick", "coupons": ["two"]}') ->> 'state', 'committed', 'another wants it, and has it');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "slow"}')$$), 'POS09 coupon_used_up: /coupons/0 coupon_used_up', 'the slow one comes too late');
select is(pos.usage_reserve('{"id": "slow", "promotions": [{"id": "p", "amount": 5}]}') ->> 'state' || ' ' || (pos.usage_commit('{"id": "slow"}') ->> 'state'), 'held committed',
    'without the coupon it may, and wants it back no more');
select is(pg_temp.state('two'), 'used_up 2 0', 'which is used by others');
select is_empty($$
    select from pos.usage_counter c
     where array[c.used, c.reserved] <> (
           select array[coalesce(sum(l.quantity) filter (where l.state = 'committed'), 0), coalesce(sum(l.quantity) filter (where l.state = 'held'), 0)]::bigint[]
             from pos.usage_line l where (l.kind, l.name, l.of, l.per, l.subject, l.span, l.since) = (c.kind, c.name, c.of, c.per, c.subject, c.span, c.since))
$$, 'the counters are what the journal says');
select is((pg_temp.call('put_coupon', '{"code": "next"}', '{"promotions": ["p"], "from": "2999-01-01T00:00:00Z"}')).body ->> 'state', 'scheduled', 'one that is yet to start');
select is((pg_temp.call('put_coupon', '{"code": "last"}', '{"promotions": ["p"], "until": "2001-01-01T00:00:00Z"}')).body ->> 'state', 'expired', 'one that is over');
select is(pg_temp.refusal($$select pos.usage_reserve('{"id": "o4", "coupons": ["next", "last"]}')$$), 'POS09 coupon_not_started: /coupons/0 coupon_not_started, /coupons/1 coupon_expired', 'neither is taken');

-- revoked
select is((pg_temp.call('revoke_coupon', '{"code": "next"}', '{"reason": "a misprint"}')).body ->> 'revoked_reason', 'a misprint', 'one is revoked');
select is((select count(*) from pos.book_small where kind = 'coupon' and key = 'NEXT'), 0::bigint, 'the book shows it no more');
select is(pg_temp.refusal($$select pg_temp.call('put_coupon', '{"code": "Next"}', '{"promotions": ["p"]}')$$), 'POS09 illegal_state', 'nor is it given again');
select is(pg_temp.refusal($$select pg_temp.call('delete_coupon', '{"code": "Next"}')$$), 'POS09 illegal_state', 'nor deleted, to be given after that');

-- batches
select is(pg_temp.refusal($$select pg_temp.call('create_coupon_batch', '{}', '{"count": 1000, "pattern": "A####", "promotions": ["q"]}')$$),
    'POS00 invalid: /pattern pattern_too_short, /promotions/0 unknown_promotion', 'a pattern that is guessed, a promotion that is not there');
select (pg_temp.call('create_coupon_batch', '{}', '{"count": 6000, "pattern": "B-#####-##", "promotions": ["p"]}')).body ->> 'batch' as big \gset
set local role pos_daemon;
select is(pg_temp.make(:'big', array(select 'B-' || lpad(i::text, 7, '0') from generate_series(1, 6000) i) || '{B-0000001,TWO,B-0009999}'::text[]) ->> 'codes', '6000', 'six thousand, of codes that come twice or are there');
set local role pos_api;
select is((select count(*) from pos.coupon where batch_id = :'big' and code <> 'TWO'), 6000::bigint, 'each once');
select is(pg_temp.state('b-0000007'), 'active 0 0', 'each a coupon of one use');
select is((select count(*) from pos.book_history where rev = (select rev from pos.revision)), 1::bigint, 'one row in history stands for them');
select is((pg_temp.call('revoke_coupon', '{"code": "B-0000007"}', '{}')).body ->> 'state', 'revoked', 'one is revoked by itself');
select set_eq($$ select kind, key, value::jsonb from pos.book_at(pos.current_retailer(), (select rev from pos.revision)) $$,
    $$ select kind, key, value::jsonb from pos.book_small $$, 'history at the head is the book');
select pos.usage_reserve('{"id": "held", "coupons": ["B-0000008"]}') as held \gset
select is((pg_temp.call('revoke_coupon_batch', jsonb_build_object('id', :'big'), '{"reason": "leaked"}')).body ->> 'state', 'revoked', 'the batch is revoked, in one call');
select is((select count(*) from pos.book_small where kind = 'coupon' and key like 'B-%'), 0::bigint, 'the book shows none');
select is((select count(*) from pos.book_at(pos.current_retailer(), (select rev - 1 from pos.revision)) where kind = 'coupon' and key like 'B-%'), 5999::bigint, 'the revision before does');
select is(pos.usage_commit('{"id": "held"}') ->> 'state' || ' ' || pg_temp.refusal($$select pos.usage_commit('{"id": "o5", "coupons": ["B-0000009"]}')$$),
    'committed POS09 coupon_revoked: /coupons/0 coupon_revoked', 'who holds one may pay; nobody else');

-- what is held is kept, however it is committed; what was lost is taken anew
select count(pg_temp.call('put_coupon', jsonb_build_object('code', c), '{"promotions": ["p"], "until": "2999-01-01T00:00:00Z"}')) from unnest('{A1,A2,A3}'::text[]) c \gset ignored_
select pos.usage_reserve('{"id": "k1", "coupons": ["a1", "a2"]}'), pos.usage_reserve('{"id": "k3", "coupons": ["a3"]}'), pg_temp.lapse('k3') \gset ignored_
select pg_temp.call('revoke_coupon', '{"code": "A1"}', '{}'), pg_temp.call('put_coupon', '{"code": "A2"}', '{"promotions": ["p"], "until": "2001-01-01T00:00:00Z"}'), pg_temp.call('revoke_coupon', '{"code": "A3"}', '{}') \gset ignored_
select is(pos.usage_commit('{"id": "k1", "coupons": ["A1", "a2"]}') ->> 'state', 'committed', 'one is revoked and one is over: who holds them may pay, and say so');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "k2", "coupons": ["a1", "a2"]}')$$), 'POS09 coupon_revoked: /coupons/0 coupon_revoked, /coupons/1 coupon_expired', 'nobody else');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "k3", "coupons": ["a3"]}')$$) || '; ' || pg_temp.refusal($$select pos.usage_commit('{"id": "k3"}')$$),
    'POS09 coupon_revoked: /coupons/0 coupon_revoked; POS09 coupon_revoked: /coupons/0 coupon_revoked', 'nor whose hold was over');
select pg_temp.call('put_promotion', '{"id": "m"}', null, '{"prepared": {"documents": [{"id": "m", "class": "order", "then": [], "limits": [{"max": 10}]}]}}'),
       pg_temp.call('publish_promotion', '{"id": "m"}', '{}', '{"prepared": {"version": 1, "findings": []}}'),
       pos.usage_reserve('{"id": "lc", "promotions": [{"id": "m", "uses": 10}]}'), pg_temp.lapse('lc'), pos.usage_commit('{"id": "lc2", "promotions": [{"id": "m", "uses": 5}]}'),
       pg_temp.call('put_promotion', '{"id": "m"}', null, '{"prepared": {"documents": [{"id": "m", "class": "order", "then": [], "limits": [{"max": 10, "window": "day"}]}]}}'),
       pg_temp.call('publish_promotion', '{"id": "m"}', '{}', '{"prepared": {"version": 2, "findings": []}}'),
       pos.usage_commit('{"id": "d10", "promotions": [{"id": "m", "uses": 10}]}') \gset ignored_
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "lc"}')$$), 'POS09 limit_reached: /promotions/0 limit_reached', 'a late commit is counted against the limits of now');
select pos.usage_reserve('{"id": "n1", "promotions": [{"id": "m"}], "at": "2026-11-20T23:59:00Z"}'), pos.usage_reserve('{"id": "n2", "promotions": [{"id": "m"}], "at": "2026-11-20T23:59:00Z"}'), pg_temp.lapse('n2') \gset ignored_
select is(pos.usage_commit('{"id": "n1", "promotions": [{"id": "m"}]}') #>> '{counters,0,from}', '2026-11-20', 'a commit across midnight stays in the day that it held');
select is(pg_temp.refusal($$select pos.usage_commit('{"id": "n2"}')$$), 'POS09 limit_reached: /promotions/0 limit_reached', 'one whose hold was over is of the day that it is');

-- whose a reservation is
create function pg_temp.as_key(op text, the text, key text, scope text) returns text language sql as $$
    select coalesce(pg_temp.refusal(format('select pg_temp.call(%L, %L, %L, %L)', op, jsonb_build_object('id', the), jsonb_build_object('id', the),
        jsonb_build_object('actor', jsonb_build_object('key_id', key, 'scopes', jsonb_build_array(scope))))), 'may') $$;
select is(pg_temp.as_key('create_coupon_reservation', 'mine', 'key_1', 'coupons:redeem'), 'may', 'a key reserves');
select is(array(select pg_temp.as_key(op, 'mine', 'key_2', 'coupons:redeem') from unnest('{get_coupon_reservation,commit_coupon_reservation,release_coupon_reservation}'::text[]) op),
    '{POS04 not_found,POS04 not_found,POS04 not_found}', 'another finds nothing there');
select is(pg_temp.as_key('create_coupon_reservation', 'mine', 'key_2', 'coupons:redeem'), 'POS09 reservation_taken', 'nor can it take its place');
select is(pg_temp.as_key('get_coupon_reservation', 'mine', 'key_3', 'coupons:write') || ' ' || pg_temp.as_key('create_coupon_reservation', 'mine', 'key_3', '*'), 'may may', 'who keeps the coupons may');
select is(pg_temp.as_key('commit_coupon_reservation', 'mine', 'key_1', 'coupons:redeem') || ' ' || pg_temp.as_key('release_coupon_reservation', 'mine', 'key_1', 'coupons:redeem'), 'may may', 'and it is still its own');
select pos.usage_commit('{"id": "ord_1", "coupons": []}') \gset ignored_
select is(array(select pg_temp.as_key(op, 'ord_1', 'key_1', '*') from unnest('{create_coupon_reservation,get_coupon_reservation,commit_coupon_reservation,release_coupon_reservation}'::text[]) op),
    '{POS00 invalid: /id reserved,POS00 invalid: /path/id reserved,POS00 invalid: /path/id reserved,POS00 invalid: /path/id reserved}', 'an order''s use is nobody''s to hold or to give back');

-- a batch that is never made
select (pg_temp.call('create_coupon_batch', '{}', '{"count": 13, "pattern": "C-####", "promotions": ["p"]}')).body ->> 'id' as job \gset
select is(pg_temp.refusal($$select pg_temp.call('create_coupon_batch', '{}', '{"count": 13, "pattern": "C-####", "promotions": ["p"]}')$$), 'POS00 invalid: /pattern pattern_too_short', 'a pattern is used up');
select pg_temp.call('cancel_job', jsonb_build_object('id', :'job')) \gset ignored_
select is(pg_temp.refusal($$select pg_temp.call('create_coupon_batch', '{}', '{"count": 13, "pattern": "C-####", "promotions": ["p"]}')$$), null, 'not by a batch that is cancelled');
select b.batch_id as pending, b.job_id as job from pos.coupon_batch b join pos.job j using (retailer_id, job_id) where j.state = 'queued' \gset
select (pg_temp.call('revoke_coupon_batch', jsonb_build_object('id', :'pending'), '{}')).body ->> 'state' as state \gset
select is(:'state' || ' ' || (select state from pos.job where job_id = :'job'), 'revoked cancelled', 'one that waits is revoked, and its job does it no more');
select is(pg_temp.refusal(format($$select pg_temp.call('revoke_coupon_batch', '{"id": "%s"}', '{}')$$, :'pending')), 'POS09 illegal_state', 'once');

-- imports leave batches and what is revoked alone
select pg_temp.call('put_promotion', '{"id": "pb"}', null, '{"prepared": {"documents": [{"id": "pb", "class": "order", "then": []}]}}') \gset ignored_
select (pg_temp.call('create_coupon_batch', '{}', '{"count": 3, "pattern": "D-#####", "promotions": ["pb"]}')).body ->> 'batch' as three \gset
set local role pos_daemon;
select pg_temp.make(:'three', '{D-1,D-2,D-3}') \gset ignored_
select is(pg_temp.import('coupons', '[{"code": "next", "promotions": ["p"]}, {"code": "d-1", "promotions": ["pb"], "remaining": 9}, {"code": "Two", "promotions": ["p"]}]'),
    array['/coupons/0/code coupon_revoked the coupon ''NEXT'' is revoked', '/coupons/1/code coupon_of_batch the coupon ''D-1'' is its batch''s'], 'neither is overwritten');
select is(array(select m from unnest(pg_temp.import('promotions', '[{"id": "p"}, {"id": "m"}]')) m where m like '%pb%'),
    array[format('/promotions in_use promotion ''pb'' is in use by the coupon batch ''%s''', :'three')], 'a batch keeps its promotion, and says so once');
set local role pos_api;
select is((pg_temp.call('put_coupon', '{"code": "D-2"}', '{"promotions": ["m"]}')).status, 200, 'one of its codes opens another');
set local role pos_daemon;
select is(array(select m from unnest(pg_temp.import('promotions', '[{"id": "p"}, {"id": "pb"}]')) m), array['/promotions in_use promotion ''m'' is in use by the coupon ''D-2'''], 'which is kept too');
set local role pos_api;
select is((pg_temp.call('revoke_coupon_batch', jsonb_build_object('id', :'three'), '{}')).status, 200, 'the batch is revoked');
set local role pos_daemon;
select is(pg_temp.import('promotions', '[{"id": "p"}]'), null, 'and keeps nothing any more');
set local role pos_api;

-- a crowd's holds are over
select pos.usage_sweep(), pg_temp.call('put_coupon', '{"code": "CROWD"}', '{"promotions": ["p"], "remaining": 2500}'), pos.usage_commit('{"id": "first", "coupons": ["crowd"]}') \gset ignored_
insert into pos.usage (retailer_id, usage_id, state, content, expires_at) select pos.current_retailer(), 'crowd' || i, 'held', '{}', clock_timestamp() from generate_series(1, 2500) i;
insert into pos.usage_line select l.retailer_id, 'crowd' || i, l.kind, l.name, l.of, l.per, l.subject, l.span, l.since, 1, 'held', clock_timestamp()
  from pos.usage_line l, generate_series(1, 2500) i where l.usage_id = 'first';
update pos.usage_counter set reserved = 2500 where name = 'CROWD';
select pg_temp.call('put_coupon', '{"code": "CROWD"}', '{"promotions": ["p"], "remaining": 2}') \gset ignored_
select is(pos.usage_reserve('{"id": "second", "coupons": ["crowd"]}') ->> 'state', 'held', 'none of them counts');
select is((select count(*) from pos.usage_line where name = 'CROWD' and state = 'expired'), 1000::bigint, 'nobody brings back more than a thousand');
select is(pg_temp.state('crowd') || pg_temp.refusal($$select pos.usage_reserve('{"id": "third", "coupons": ["crowd"]}')$$), 'reserved 1 1POS09 coupon_used_up: /coupons/0 coupon_used_up', 'the limit holds meanwhile');
select is(pos.usage_sweep(), 1::bigint, 'the sweep goes on');
select is((select count(*) from pos.usage_line where name = 'CROWD' and state = 'expired') || ' ' || (select reserved from pos.usage_counter where name = 'CROWD'), '2000 501', 'by a thousand');

select * from finish();
rollback;
