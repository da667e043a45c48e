-- A promotion's life where only the database sees it: what differs between two long lists.
begin;
select plan(4);

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
