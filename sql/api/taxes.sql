-- Taxes: a region's rows, whole and in order, since a compound rate applies on
-- what comes before it.

set local role pos_owner;

-- A region as the API shows it; null where it has no rows.
create or replace function pos.tax_region(the text) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('region', the, 'rows', jsonb_agg(t.document - 'region' order by t.ordinal))
      from pos.tax t where t.retailer_id = pos.current_retailer() and t.region = the having count(*) > 0
$$;

-- The feed's key of a region's row.
create or replace function pos.tax_key(region text, ordinal bigint) returns jsonb
language sql immutable set search_path = ''
as $$ select jsonb_build_array('tax', region || '/' || lpad(ordinal::text, 6, '0')) $$;

-- list_taxes: GET /v1/taxes
create or replace function api.list_taxes(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.region, 'doc', pos.tax_region(t.region)) order by t.region))
      from (select distinct x.region from pos.tax x
             where x.retailer_id = pos.current_retailer() and x.region > pos.cursor_read(request)
             order by x.region limit pos.page_limit(request) + 1) t
$$;

-- get_tax: GET /v1/taxes/{region}
create or replace function api.get_tax(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request, pos.tax_region(request #>> '{path,region}'), 'tax region', request #>> '{path,region}')
$$;

-- Replaces a region's rows; no rows removes it.
create or replace function pos.put_tax_region(request jsonb, operation text, rows jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,region}';
    before jsonb;
    keys   jsonb;
begin
    perform pos.lock_book();
    before := pos.tax_region(the);
    if before is null and jsonb_array_length(rows) = 0 then
        perform pos.refuse_not_found('tax region', the);
    end if;
    perform pos.check_match(request, before);
    perform pos.refuse_fields((
        select coalesce(jsonb_agg(jsonb_build_object('pointer', '/rows/' || (t.i - 1), 'code', 'duplicate',
                   'message', format('the tax %L of %L is there already: it would be taken twice', t.v ->> 'code', t.v ->> 'category')) order by t.i), '[]')
          from (select e.i, e.v, row_number() over (partition by e.v -> 'category', e.v -> 'code',
                           e.v #>> '{ship_to,country}', e.v #>> '{ship_to,region}' order by e.i) as n
                  from jsonb_array_elements(rows) with ordinality e(v, i)) t
         where t.n > 1));
    delete from pos.tax t where t.retailer_id = me and t.region = the;
    insert into pos.tax (retailer_id, region, ordinal, document)
    select me, the, e.i, jsonb_build_object('region', the) || e.v from jsonb_array_elements(rows) with ordinality as e(v, i);
    select jsonb_agg(pos.tax_key(the, i)) into keys
      from generate_series(1, greatest(jsonb_array_length(rows), coalesce(jsonb_array_length(before -> 'rows'), 0))) i;
    return pos.book_put(request, operation, 'tax', the, keys, before, pos.tax_region(the),
                        '/v1/taxes/' || pos.url_encode(the));
end
$$;

-- put_tax: PUT /v1/taxes/{region}
create or replace function api.put_tax(request jsonb) returns pos.response
language sql set search_path = ''
as $$ select pos.put_tax_region(request, 'put_tax', pos.body_named(request, 'region') -> 'rows') $$;

-- delete_tax: DELETE /v1/taxes/{region}
create or replace function api.delete_tax(request jsonb) returns pos.response
language sql set search_path = ''
as $$ select pos.put_tax_region(request, 'delete_tax', '[]') $$;

reset role;
