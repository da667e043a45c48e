-- Price rows. A row is named by product, list, kind, quantity and start; what
-- has the same name is replaced. (GET /v1/prices is answered by the replica.)

set local role pos_owner;

-- The rows of a request, typed; times without an offset are the retailer's.
create or replace function pos.price_input(rows jsonb)
returns table (ordinal bigint, sku text, list text, kind text, min_quantity numeric, amount bigint,
               valid_from timestamptz, valid_until timestamptz)
language sql stable set search_path = ''
as $$
    select e.i - 1, (e.v ->> 'sku') collate "C", (e.v ->> 'list') collate "C", coalesce(e.v ->> 'kind', 'regular'),
           trim_scale(coalesce((e.v ->> 'min_quantity')::numeric, 1)), (e.v ->> 'amount')::bigint,
           pos.instant(e.v ->> 'from', r.timezone), pos.instant(e.v ->> 'until', r.timezone)
      from pos.retailer r, jsonb_array_elements(rows) with ordinality as e(v, i)
     where r.retailer_id = pos.current_retailer()
$$;

-- put_prices: PUT /v1/prices
create or replace function api.put_prices(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    rows   jsonb := request #> '{body,prices}';
    before jsonb;
    skus   jsonb;
begin
    perform pos.lock_book();
    perform pos.refuse_fields(coalesce((
        select jsonb_agg(jsonb_build_object('pointer', f.pointer, 'code', f.code, 'message', f.message) order by f.ordinal)
          from (select i.ordinal, '/prices/' || i.ordinal || '/sku' as pointer, 'unknown_sku' as code,
                       format('there is no product %L', i.sku) as message
                  from pos.price_input(rows) i
                 where not exists (select from pos.product p where p.retailer_id = me and p.sku = i.sku)
                union all
                select i.ordinal, '/prices/' || i.ordinal, 'duplicate', format('this price is at %s already: same SKU, list, kind, quantity and start', i.first)
                  from (select n.*, min(n.ordinal) over (partition by n.sku, n.list, n.kind, n.min_quantity, n.valid_from) as first
                          from pos.price_input(rows) n) i
                 where i.ordinal > i.first
                union all
                select i.ordinal, '/prices/' || i.ordinal || '/list', 'unknown_price_list', format('there is no price list %L', i.list)
                  from pos.price_input(rows) i
                 where not exists (select from pos.price_list l where l.retailer_id = me and l.code = i.list)
                union all
                select i.ordinal, '/prices/' || i.ordinal || '/until', 'empty_period', 'it ends before it starts'
                  from pos.price_input(rows) i where i.valid_until <= i.valid_from) f), '[]'));
    with input as (
        select i.sku, i.list, i.kind, i.min_quantity, i.valid_from from pos.price_input(rows) i
    ), gone as (
        delete from pos.price p using input i
         where p.retailer_id = me and p.sku = i.sku and p.list = i.list and p.kind = i.kind
           and p.min_quantity = i.min_quantity and p.valid_from is not distinct from i.valid_from
        returning p.sku, p.list, p.kind, p.min_quantity, p.price_amount, p.valid_from, p.valid_until)
    select jsonb_agg(to_jsonb(g)) into before from gone g;
    insert into pos.price (retailer_id, sku, ordinal, list, kind, min_quantity, price_amount, valid_from, valid_until)
    select me, i.sku, coalesce((select max(p.ordinal) from pos.price p where p.retailer_id = me and p.sku = i.sku), 0)
               + row_number() over (partition by i.sku order by i.ordinal),
           i.list, i.kind, i.min_quantity, i.amount, i.valid_from, i.valid_until
      from pos.price_input(rows) i;
    select jsonb_agg(jsonb_build_array('sku', s.sku)) into skus
      from (select distinct i.sku from pos.price_input(rows) i) s;
    perform pos.audited(request, 'put_prices', 'price', '', before, rows);
    perform pos.book_changed(skus);
    return pos.answer(200, jsonb_build_object('count', jsonb_array_length(rows)),
                      jsonb_build_object('Pos-Revision', pos.revision_name()));
end
$$;

-- delete_prices: DELETE /v1/prices
create or replace function api.delete_prices(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    q      jsonb := request -> 'query';
    zone   text := (select r.timezone from pos.retailer r where r.retailer_id = pos.current_retailer());
    before jsonb;
begin
    perform pos.lock_book();
    with gone as (
        delete from pos.price p
         where p.retailer_id = me and p.sku = q ->> 'sku' and p.list = q ->> 'list'
           and (q ->> 'kind' is null or p.kind = q ->> 'kind')
           and (q ->> 'min_quantity' is null or p.min_quantity = (q ->> 'min_quantity')::numeric)
           and (q ->> 'from' is null or p.valid_from = pos.instant(q ->> 'from', zone))
        returning p.sku, p.list, p.kind, p.min_quantity, p.price_amount, p.valid_from, p.valid_until)
    select jsonb_agg(to_jsonb(g)) into before from gone g;
    if before is null then
        perform pos.refuse('POS04', 'not_found', 'no price row is as described');
    end if;
    perform pos.audited(request, 'delete_prices', 'price', q ->> 'sku', before, null);
    perform pos.book_changed(jsonb_build_array(jsonb_build_array('sku', q ->> 'sku')));
    return pos.answer(204, null, jsonb_build_object('Pos-Revision', pos.revision_name()));
end
$$;

reset role;
