-- Events get numbers once they are committed; order, gaps, retailers.
begin;
select plan(9);

set local role pos_owner;
select pos.create_retailer('{"code": "first", "currency": "GBP"}') as first \gset
select pos.create_retailer('{"code": "second", "currency": "GBP"}') as second \gset
reset role;
select :'first'::jsonb #>> '{live,retailer_id}' as a, :'second'::jsonb #>> '{live,retailer_id}' as b \gset
delete from pos.event;

create function pg_temp.happened(retailer bigint, aggregate text, version int, at_minute int) returns void
language sql as $$
    insert into pos.event (retailer_id, aggregate, version, id, type, data, at)
    values (retailer, aggregate, version, format('evt_%s_%s', aggregate, version), 't', '{}', timestamptz '2026-01-01' + at_minute * interval '1 minute')
$$;
create function pg_temp.numbers(retailer bigint) returns text
language sql as $$
    select string_agg(coalesce(seq::text, '-') || '=' || aggregate || version, ' ' order by seq, aggregate, version)
      from pos.event where retailer_id = retailer
$$;

select pg_temp.happened(:a, 'x', 1, 1), pg_temp.happened(:a, 'y', 1, 2), pg_temp.happened(:b, 'x', 1, 3), pg_temp.happened(:a, 'x', 2, 4);
select is(pos.number_events(), 4::bigint, 'all that wait are numbered');
select is(pg_temp.numbers(:a), '1=x1 2=y1 3=x2', 'by their changes'' beginning');
select is(pg_temp.numbers(:b), '1=x1', 'each retailer by itself');
select is(pos.number_events(), 0::bigint, 'once');

-- z2's change began first and waited for z1's.
select pg_temp.happened(:a, 'z', 2, 10), pg_temp.happened(:a, 'z', 1, 12), pg_temp.happened(:a, 'y', 2, 11);
select is(pos.number_events(2), 1::bigint, 'what waits for an earlier version is left for later');
select is(pos.number_events(2), 2::bigint, 'and comes with it');
select is(pg_temp.numbers(:a), '1=x1 2=y1 3=x2 4=y2 5=z1 6=z2', 'versions in order, numbers without a gap');

-- A clock that went back: the first version looks newer than all that follow.
select pg_temp.happened(:a, 'w', v, case v when 1 then 100 else 20 + v end) from generate_series(1, 30) v;
select is(pos.number_events(3) > 0, true, 'many that wait for one hidden behind them do not stop it');
select pos.number_events() from generate_series(1, 20);
select is((select string_agg(version::text, ' ' order by seq) from pos.event where retailer_id = :a and aggregate = 'w'),
    (select string_agg(v::text, ' ' order by v) from generate_series(1, 30) v), 'and they come by version');

select * from finish();
rollback;
