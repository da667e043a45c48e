-- Experiments: their life in one revision each, and their results to the last digit.
begin;
select plan(100);

select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Europe/London"}') as made \gset
select :'made'::jsonb #>> '{sandbox,retailer_id}' as me \gset
select set_config('pos.retailer', :'me', true) \gset

create function pg_temp.call(op text, the text, body jsonb default '{}', more jsonb default '{}') returns pos.response
language plpgsql as $$
declare
    answer pos.response;
begin
    execute format('select * from api.%I($1)', op) into answer
      using jsonb_build_object('path', jsonb_build_object('id', the, 'code', the, 'sku', the, 'region', the), 'query', '{}'::jsonb, 'headers', '{}'::jsonb,
                               'body', body, 'actor', '{"key_id": "key_t", "scopes": ["*"]}'::jsonb, 'idempotency_key', null) || more;
    return answer;
end $$;
-- The problem's code, and what `path` has of it; or the status.
create function pg_temp.refusal(op text, the text, body jsonb default '{}', more jsonb default '{}', path text[] default '{code}') returns text
language plpgsql as $$
declare
    detail text;
begin
    return (pg_temp.call(op, the, body, more)).status;
exception when others then
    get stacked diagnostics detail = pg_exception_detail;
    return concat_ws(' ', sqlstate, detail::jsonb ->> 'code', detail::jsonb #>> nullif(path, '{code}'));
end $$;
create function pg_temp.put(the text, more jsonb default '{}', script text default null) returns int language sql as
$$ select ((pg_temp.call('put_promotion', the, case when script is null then d.v else jsonb_build_object('id', the, 'script', script) end,
       jsonb_build_object('prepared', jsonb_build_object('documents', jsonb_build_array(d.v), 'source', script)))).body ->> 'version')::int
     from (select jsonb_build_object('id', the, 'class', 'order', 'then', '[]'::jsonb) || more as v) d $$;
create function pg_temp.rev() returns bigint language sql as
$$ select r.rev from pos.revision r where r.retailer_id = pos.current_retailer() $$;
create function pg_temp.publish(the text, version int, body jsonb default '{}') returns text language sql as
$$ select (pg_temp.call('publish_promotion', the, body, jsonb_build_object('prepared',
       jsonb_build_object('version', version, 'findings', '[]'::jsonb, 'revision', pg_temp.rev())))).body ->> 'state' $$;
create function pg_temp.arm(code text, arm text) returns jsonb language sql as
$$ select jsonb_build_object('experiment', jsonb_build_object('code', code, 'arm', arm)) $$;
create function pg_temp.keys() returns jsonb language sql as
$$ select l.keys from pos.revision_log l where l.retailer_id = pos.current_retailer() order by l.rev desc limit 1 $$;
create function pg_temp.row_of(kind text, key text) returns jsonb language sql as
$$ select b.value::jsonb from pos.book_rows(pos.current_retailer(), jsonb_build_array(jsonb_build_array(kind, key))) b $$;
create function pg_temp.events(the text) returns text language sql as
$$ select string_agg(e.type, ' ' order by e.version) from pos.event e where e.retailer_id = pos.current_retailer() and e.aggregate = the $$;
create function pg_temp.order(id text, arm text, customer text, price bigint, off bigint, cost bigint, more jsonb default '{}') returns void language sql as
$$ insert into pos.order_history (retailer_id, order_id, ordered_at, store, customer, session, currency, line_sku, line_quantity, line_price_amount,
                                  line_discount_amount, line_cost_amount, total_amount, discount_amount, experiments)
   values (pos.current_retailer(), id, coalesce((more ->> 'at')::timestamptz, '2026-11-10T12:00:00Z'), 'london', customer, more ->> 'session',
           coalesce(more ->> 'currency', 'GBP'), array[coalesce(more ->> 'sku', 'S1')], array[1000], array[price + off],
           array[off - coalesce((more ->> 'order_off')::bigint, 0)], array[cost], (more ->> 'total')::bigint, coalesce((more ->> 'order_off')::bigint, 0),
           jsonb_build_object(coalesce(more ->> 'code', 'e'), arm)) $$;
grant execute on all functions in schema pg_temp to pos_api, pos_daemon;
set local role pos_api;

-- Its life.
select is((pg_temp.call('put_experiment', 'e', '{"name": "one", "arms": [{"code": "a"}, {"code": "b"}, {"code": "c", "weight": 0}]}')).status, 201, 'it runs from its put');
select is((pg_temp.call('get_experiment', 'e')).body ->> 'state', 'running', 'and says so');
select is(pg_temp.refusal('put_experiment', 'none', '{"arms": [{"code": "a", "weight": 0}, {"code": "b", "weight": 0}]}', '{}', '{errors,0,pointer}'), 'POS00 invalid /arms',
    'one that sends nobody anywhere');
select is(pg_temp.refusal('put_experiment', 'none', '{"arms": [{"code": "a"}, {"code": "b"}, {"code": "a"}]}', '{}', '{errors,0,pointer}'), 'POS00 invalid /arms/2/code',
    'or that has an arm twice, which no book would take');
select is(pg_temp.refusal('put_experiment', 'none', '{"arms": [{"code": "a", "weight": 0}, {"code": "a", "weight": 0}]}', '{}', '{errors,1,pointer}'), 'POS00 invalid /arms/1/code',
    'both are told at once');
select is(pg_temp.refusal('get_experiment', 'none'), 'POS04 not_found', 'and nothing is left of them');
select isnt((pg_temp.call('get_experiment', 'e')).body ->> 'started_at', null, 'and since when');
select is(pg_temp.row_of('experiment', 'e'), '{"code": "e", "name": "one", "arms": [{"code": "a"}, {"code": "b"}, {"code": "c", "weight": 0}]}', 'the book has the document alone');
select is((pg_temp.call('put_experiment', 'e', '{"name": "two", "arms": [{"code": "b"}, {"code": "a"}]}')).status, 200, 'other arms, before any order');
select is((pg_temp.call('put_experiment', 'e', '{"name": "one", "arms": [{"code": "a"}, {"code": "b"}, {"code": "c", "weight": 0}]}')).status, 200, 'and back');
select pg_temp.order('o1', 'a', 'c1', 3000, 100, 2000);
select is((select arm from pos.exposure where code = 'e'), 'a', 'an order is part of it');
select pg_temp.rev() as seen \gset
select is(pg_temp.refusal('put_experiment', 'e', '{"arms": [{"code": "b"}, {"code": "a"}, {"code": "c", "weight": 0}]}'), 'POS09 in_use', 'now the order of the arms');
select is(pg_temp.refusal('put_experiment', 'e', '{"arms": [{"code": "a", "weight": 2}, {"code": "b"}, {"code": "c", "weight": 0}]}'), 'POS09 in_use', 'their weights');
select is(pg_temp.refusal('put_experiment', 'e', '{"unit": "session", "arms": [{"code": "a"}, {"code": "b"}, {"code": "c", "weight": 0}]}'), 'POS09 in_use', 'and the unit stay as they are');
select is(pg_temp.refusal('delete_experiment', 'e'), 'POS09 in_use', 'nor is it deleted');
select is(pg_temp.rev(), (:seen)::bigint, 'and no revision was made');
select is((pg_temp.call('put_experiment', 'e', '{"name": "three", "unit": "customer", "arms": [{"code": "a", "weight": 1}, {"code": "b"}, {"code": "c", "weight": 0}]}')).status, 200,
    'another name, defaults said');

-- Shipping.
select pg_temp.put('pa', pg_temp.arm('e', 'a')), pg_temp.put('pb', pg_temp.arm('e', 'b')), pg_temp.put('pb2', pg_temp.arm('e', 'b')), pg_temp.put('other', pg_temp.arm('f', 'b')),
       pg_temp.put('over', pg_temp.arm('e', 'b') || '{"active": {"until": "2999-01-01T00:00:00"}}'), pg_temp.put('draft', pg_temp.arm('e', 'b')),
       pg_temp.put('lua', pg_temp.arm('e', 'b'), 'return promotion {}') \gset
select is((pg_temp.call('put_experiment', 'f', '{"arms": [{"code": "a"}, {"code": "b"}]}')).status, 201, 'another experiment');
select is(pg_temp.publish(p, 1, b), 'active', p || ' is live')
  from (values ('pa', '{}'::jsonb), ('pb', '{"until": "2998-01-01T00:00:00"}'), ('pb2', '{}'), ('other', '{}'), ('over', '{}'), ('lua', '{}')) w(p, b);
reset role;
update pos.promotion set schedule = '{"until": "2020-01-01T00:00:00"}' where promotion_id = 'over';
set local role pos_api;
select pg_temp.rev() as seen \gset
select is(pg_temp.refusal('ship_experiment', 'e', '{"arm": "z"}', '{}', '{errors,0,pointer}'), 'POS00 invalid /arm', 'an arm that is not there');
select is(pg_temp.refusal('ship_experiment', 'nix', '{"arm": "a"}'), 'POS04 not_found', 'nor this experiment');
select is(pg_temp.refusal('ship_experiment', 'e', '{"arm": "b"}', '{"headers": {"if-match": "\"0\""}}'), 'POS12 precondition_failed', 'by what was read before');
select is((pg_temp.call('patch_retailer', null, '{"promotion_approval": "always"}')).status, 200, 'approvals are asked for');
select is(pg_temp.refusal('ship_experiment', 'e', '{"arm": "b"}', '{}', '{promotions,0,promotion}'), 'POS09 approval_required lua', 'then nobody gets it unapproved');
select is(pg_temp.refusal('ship_experiment', 'e', '{"arm": "b"}', '{}', '{promotions,2,promotion}'), 'POS09 approval_required pb2', 'each of them is named');
select is((select count(*) from pos.promotion_version where promotion_id = 'pb'), 1::bigint, 'and nothing is left of the attempt');
select is(pg_temp.put('pb'), 2, 'a version for everybody');
select is((pg_temp.call('submit_promotion', 'pb')).status, 200, 'is submitted');
select is((pg_temp.call('approve_promotion', 'pb', '{"version": 2}', '{"actor": {"key_id": "key_u"}}')).status, 200, 'and approved');
select is(pg_temp.refusal('ship_experiment', 'e', '{"arm": "b"}', '{}', '{promotions,1,promotion}'), 'POS09 approval_required pb2', 'it lacks nothing any more');
select is((pg_temp.call('patch_retailer', null, '{"promotion_approval": null}')).status, 200, 'nobody asks');
select pg_temp.rev() as seen \gset
select * from pg_temp.call('ship_experiment', 'e', '{"arm": "b", "reason": "more"}', '{"idempotency_key": "k", "request_hash": "h"}') \gset done_
select is(:'done_body'::jsonb ->> 'winner', 'b', 'shipped');
select is(:'done_body'::jsonb -> 'published', '[{"id": "lua", "version": 2}, {"id": "pb", "version": 2}, {"id": "pb2", "version": 2}]', 'what is for everybody now');
select is(:'done_body'::jsonb -> 'suspended', '["over", "pa"]', 'and what for nobody');
select is(pg_temp.rev(), (:seen + 1)::bigint, 'in one revision');
select is(pg_temp.keys(), '[["experiment", "e"], ["promotion", "lua"], ["promotion", "over"], ["promotion", "pa"], ["promotion", "pb"], ["promotion", "pb2"]]', 'of all of it');
select is(pg_temp.row_of('experiment', 'e'), null, 'the experiment has left the book');
select is(pg_temp.row_of('promotion', 'pa'), null, 'and the other arm');
select is(pg_temp.row_of('promotion', 'pb2'), '{"id": "pb2", "class": "order", "then": []}', 'the winner is for everybody');
select is(pg_temp.row_of('promotion', 'pb') #>> '{active,until}', '2998-01-01T00:00:00', 'at the times it was published for');
select is(pg_temp.row_of('promotion', 'lua'), '{"id": "lua", "script": "return promotion {}", "experiment": null}', 'a script''s own experiment is taken away');
select is((select jsonb_build_array(b.published_by, b.reason, b.version) from pos.promotion_publication b where b.promotion_id = 'pb2' order by b.ordinal desc limit 1),
    '["key_t", "the experiment e shipped its arm b: more", 2]', 'a publication says who and why');
select is((select jsonb_build_array(v.author, v.reason) from pos.promotion_version v where v.promotion_id = 'pb2' and v.version = 2),
    '["key_t", "the experiment e shipped its arm b: more"]', 'and the version');
select is(pg_temp.events('promotion/pb2'), 'promotion.version_created promotion.published promotion.published', 'an event each');
select is(pg_temp.events('promotion/pa'), 'promotion.version_created promotion.published promotion.suspended', 'of those suspended, too');
select is(pg_temp.events('experiment/e'), 'experiment.shipped', 'and of the experiment');
select is((select p.state from pos.promotion p where p.promotion_id = 'draft'), 'draft', 'a draft stays one');
select is((select p.state from pos.promotion p where p.promotion_id = 'other'), 'active', 'and what is of another experiment');
select is((pg_temp.call('ship_experiment', 'e', '{"arm": "b", "reason": "more"}', '{"idempotency_key": "k", "request_hash": "h"}')).body, :'done_body'::jsonb, 'a repeat is answered the same');
select is(pg_temp.refusal('ship_experiment', 'e', '{"arm": "b"}', '{}', '{state}'), 'POS09 illegal_state ended', 'another is too late');
select is(pg_temp.refusal('stop_experiment', 'e', '{}', '{}', '{state}'), 'POS09 illegal_state ended', 'as is stopping it');
select is(pg_temp.refusal('put_experiment', 'e', '{"arms": [{"code": "a"}]}', '{}', '{state}'), 'POS09 illegal_state ended', 'nor does it live again');
select is((pg_temp.call('get_experiment', 'e')).body - '{started_at,ended_at}'::text[],
    '{"code": "e", "name": "three", "unit": "customer", "arms": [{"code": "a", "weight": 1}, {"code": "b"}, {"code": "c", "weight": 0}], "state": "ended", "winner": "b",
      "ended_reason": "more", "ended_by": "key_t"}', 'it says how it ended');
select is((select jsonb_agg(e ->> 'code') from jsonb_array_elements((pg_temp.call('list_experiments', null)).body -> 'data') e), '["e", "f"]', 'a list has both');
select is((select jsonb_agg(e ->> 'code') from jsonb_array_elements((pg_temp.call('list_experiments', null, '{}', '{"query": {"state": "ended"}}')).body -> 'data') e), '["e"]', 'or those that ended');
select is((select pos.promotion_to_check('{"id": "pa"}') #>> '{findings,0,code}'), 'unknown_experiment', 'its arms are not published any more');

-- A warning is acknowledged before everybody gets it.
select pg_temp.put('deal', pg_temp.arm('f', 'a') || '{"coupon": true}') \gset
select is(pg_temp.publish('deal', 1), 'active', 'one for a coupon');
select is(pg_temp.refusal('ship_experiment', 'f', '{"arm": "a"}', '{}', '{acknowledge,0}'), 'POS09 not_acknowledged no_coupon', 'that nothing opens');
select is(pg_temp.refusal('ship_experiment', 'f', '{"arm": "a"}', '{}', '{findings,0,promotion}'), 'POS09 not_acknowledged deal', 'says which');
select is((pg_temp.call('ship_experiment', 'f', '{"arm": "a", "acknowledge": ["no_coupon"]}')).body -> 'suspended', '["other"]', 'if it is meant so');

-- Stopping.
select is((pg_temp.call('put_experiment', 'g', '{"arms": [{"code": "a"}, {"code": "b"}]}')).status, 201, 'a third');
select pg_temp.put('ga', pg_temp.arm('g', 'a')), pg_temp.put('gb', pg_temp.arm('g', 'b')) \gset
select is(pg_temp.publish(p, 1), 'active', p || ' is live') from (values ('ga'), ('gb')) w(p);
select is(pg_temp.refusal('put_experiment', 'g', '{"arms": [{"code": "a"}, {"code": "c"}]}', '{}', '{detail}'), 'POS09 in_use the arm is in use by the promotion ''gb'': nobody would get it',
    'an arm with a live promotion stays');
select is((pg_temp.call('put_experiment', 'g', '{"arms": [{"code": "a"}, {"code": "b"}, {"code": "c"}]}')).status, 200, 'another may come');
select is(pg_temp.refusal('delete_experiment', 'g'), 'POS09 in_use', 'nor does the experiment go below them');
select pg_temp.rev() as seen \gset
select is((pg_temp.call('stop_experiment', 'g', '{"reason": "r"}')).body -> 'suspended', '["ga", "gb"]', 'is stopped');
select is(pg_temp.rev(), (:seen + 1)::bigint, 'in one revision');
select is((select p.suspended_reason from pos.promotion p where p.promotion_id = 'ga'), 'the experiment g was stopped: r', 'its promotions say why');
select is((pg_temp.call('get_experiment', 'g')).body -> 'winner', 'null', 'without a winner');
select is((pg_temp.call('delete_experiment', 'g')).status, 204, 'what no order was part of may go');
select is(pg_temp.refusal('get_experiment', 'g'), 'POS04 not_found', 'and is gone');

-- Results. The figures are worked out apart, by residuals, in exact fractions and with mpmath's
-- betainc and findroot for Student's t.
select is((pg_temp.call('put_store', 'london', '{"tax_region": "GB"}')).status, 201, 'a shop');
select is((pg_temp.call('put_product', 'S1', '{"tax_category": "standard", "cost": 2000}')).status, 201, 'what it sells');
select is((pg_temp.call('put_price_list', 'base', '{"currency": "GBP", "tax_included": true}')).status, 201, 'with tax');
select is((pg_temp.call('put_tax', 'GB', '{"rows": [{"category": "standard", "code": "vat", "percent": 20}]}')).status, 201, 'of a fifth');
select pg_temp.order(id, arm, customer, price, off, cost, more) from (values
    ('o2', 'a', 'c1', 5000, 0, 2000, '{}'::jsonb), ('o3', 'a', 'c2', 4000, 0, null, '{"total": 4000}'), ('o4', 'a', 'c3', 4200, 300, 2000, '{}'),
    ('o5', 'a', null, 3500, 0, 2000, '{"session": "s9"}'),
    ('o6', 'b', 'c4', 4500, 500, 2000, '{}'), ('o7', 'b', 'c4', 4800, 400, 2000, '{}'), ('o8', 'b', 'c5', 5200, 0, 2500, '{}'),
    ('o9', 'b', 'c6', 3900, 600, 2000, '{}'), ('o10', 'b', 'c7', 6100, 200, null, '{"sku": "gone"}'),
    ('o11', 'a', 'c1', 1000, 0, 400, '{"currency": "EUR"}'), ('o12', 'b', 'c8', 1000, 0, 400, '{"at": "2025-01-01T00:00:00Z"}'),
    ('o13', 'b', 'c9', 1000, 0, 400, '{"code": "other"}')) w(id, arm, customer, price, off, cost, more);
select (pg_temp.call('get_experiment_results', 'e', '{}', '{"query": {"from": "2026-11-01T00:00:00"}}')).body as r \gset
select is(:'r'::jsonb - '{currencies,sample_ratio}'::text[], '{"code": "e", "state": "ended", "winner": "b", "unit": "customer", "from": "2026-11-01T00:00:00", "until": null,
    "confidence": 0.95, "orders": 11, "subjects_in_several_arms": 0, "conversion": null,
    "conversion_reason": "carts are not kept: who saw an arm and bought nothing is not known"}', 'what they are of');
select is((:'r'::jsonb #> '{currencies,1,arms,0}') - '{order_value,order_discount,order_margin,subject_revenue}'::text[],
    '{"arm": "a", "orders": 5, "subjects": 4, "revenue": 19700, "discount": 400, "margin": 6417, "known_cost_percent": 100}', 'the control''s sums');
select is((:'r'::jsonb #> '{currencies,1,arms,1}') - '{order_value,order_discount,order_margin,subject_revenue}'::text[],
    '{"arm": "b", "orders": 5, "subjects": 4, "revenue": 24500, "discount": 1700, "margin": 6833, "known_cost_percent": 80}', 'the arm''s');
select is(:'r'::jsonb #> '{currencies,1,arms,0,order_value}', '{"mean": 3940, "difference": null}', 'the control differs from nothing');
select is(:'r'::jsonb #> array['currencies', '1', 'arms', '1', m], want, m)
  from (values ('order_value', '{"mean": 4900, "difference": {"value": 960, "low": -212.88, "high": 2132.88, "degrees": 3.60, "p_value": 0.083535}}'::jsonb),
               ('order_discount', '{"mean": 340, "difference": {"value": 260, "low": -86.48, "high": 606.48, "degrees": 4.45, "p_value": 0.108586}}'),
               ('order_margin', '{"mean": 1708.25, "difference": {"value": 424.85, "low": -195.47, "high": 1045.17, "degrees": 3.29, "p_value": 0.121560}}'),
               ('subject_revenue', '{"mean": 6125, "difference": {"value": 1200, "low": -2597.93, "high": 4997.93, "degrees": 5.93, "p_value": 0.467974}}')) w(m, want);
select is(:'r'::jsonb #> '{currencies,1,arms,2,order_value}', '{"mean": null, "difference": null}', 'an arm that nobody is in');
select is(:'r'::jsonb #> '{currencies,0,arms,0,order_value}', '{"mean": 1000, "difference": null}', 'each currency by itself');
select is(:'r'::jsonb #>> '{sample_ratio,p_value}', null, 'too few to say whether the arms got their shares');

-- What a product costs is in the retailer's currency: in another its margin is not known. Amounts
-- that no number of 64 bits holds are still added up.
select (pg_temp.call('put_experiment', 'w', '{"arms": [{"code": "a"}, {"code": "b"}]}')).status as made \gset
select pg_temp.order(id, 'a', customer, price, 0, cost, jsonb_build_object('code', 'w', 'currency', currency))
  from (values ('w1', 'c1', 'USD', 4000, null::bigint), ('w2', 'c2', 'GBP', 4800, null), ('w3', 'c3', 'USD', 4000, 1500)) w(id, customer, currency, price, cost);
update pos.order_history set line_quantity = array[100000000], line_price_amount = array[1000000000000000] where order_id = 'w2';
select (pg_temp.call('get_experiment_results', 'w')).body as r \gset
select is((:'r'::jsonb #> '{currencies,1,arms,0}') - '{order_value,order_discount,order_margin,subject_revenue}'::text[],
    '{"arm": "a", "orders": 2, "subjects": 2, "revenue": 8000, "discount": 0, "margin": 2500, "known_cost_percent": 50.00}', 'dollars: of the line''s own cost alone');
select is(:'r'::jsonb #>> '{currencies,0,arms,0,revenue}', '100000000000000000000', 'pounds, however many');
select is(:'r'::jsonb #>> '{currencies,0,arms,0,margin}', '83333333333133333333', 'less a sixth of tax and what they cost');

-- The sample ratio. By hand: (480-550)^2/550 + (620-550)^2/550 = 17.8182.
select is(pos.sample_ratio('[{"code": "a"}, {"code": "b"}]', '{"a": 4950, "b": 5050}') - 'arms', '{"chi_square": 1.0000, "degrees": 1, "p_value": 0.317311, "suspect": false}', 'as it should be');
select is(pos.sample_ratio('[{"code": "a"}, {"code": "b"}]', '{"a": 480, "b": 620}') - 'arms', '{"chi_square": 17.8182, "degrees": 1, "p_value": 0.000024, "suspect": true}', 'suspect');
select is(pos.sample_ratio('[{"code": "a", "weight": 2}, {"code": "b", "weight": 5}, {"code": "c", "weight": 3}]', '{"a": 30, "b": 45, "c": 25}') - 'arms',
    '{"chi_square": 6.3333, "degrees": 2, "p_value": 0.042144, "suspect": false}', 'by the weights');
select is(pos.sample_ratio('[{"code": "a"}, {"code": "b", "weight": 0}]', '{"a": 900, "b": 1}') ->> 'suspect', 'true', 'somebody where nobody is sent');

select is(pos.sample_ratio('[{"code": "a", "weight": 0}]', '{"a": 1}') ->> 'suspect', 'true', 'and where nobody is sent anywhere');

select * from finish();
rollback;
