-- Past orders: what imports bring in, and what back-tests run over.

set local role pos_owner;

-- The orders of an import, of which open_import's table holds a section. They are
-- added; one that is there already is replaced. In order of their ids, so that two
-- imports at once wait for each other and no more.
create or replace function pos.import_orders() returns void
language plpgsql volatile set search_path = '' set work_mem = '128MB'
as $$
begin
    insert into pos.order_history as h (retailer_id, order_id, ordered_at, store, channel, customer, customer_groups, coupons, currency,
           discount_amount, total_amount, line_sku, line_quantity, line_price_amount, line_discount_amount, line_cost_amount,
           session, experiments)
    select o.retailer_id, o.code, pos.instant(o.value ->> 'at', o.timezone), o.value ->> 'store', o.value ->> 'channel',
           o.value #>> '{customer,id}', pos.texts(o.value #> '{customer,groups}'), pos.texts(o.value -> 'coupons'),
           coalesce(o.value ->> 'currency', o.currency), coalesce((o.value ->> 'discount')::bigint, 0), (o.value ->> 'total')::bigint,
           l.sku, l.quantity, l.price, l.discount, l.cost, o.value ->> 'session', pos.arms_of(o.value -> 'experiments')
      from (select distinct on (i.code) r.retailer_id, r.timezone, r.document ->> 'currency' as currency, i.code, i.value
              from pg_temp.import_row i, pos.retailer r
             where i.section = 'orders' and i.ordinal >= 0 and r.retailer_id = pos.current_retailer()
             order by i.code, i.ordinal) o,
           lateral (
            select coalesce(array_agg(e.v ->> 'sku' order by e.i), '{}') as sku,
                   coalesce(array_agg(((e.v ->> 'quantity')::numeric * 1000)::bigint order by e.i), '{}') as quantity,
                   coalesce(array_agg((e.v ->> 'unit_price')::bigint order by e.i), '{}') as price,
                   coalesce(array_agg(coalesce((e.v ->> 'discount')::bigint, 0) order by e.i), '{}') as discount,
                   coalesce(array_agg((e.v ->> 'cost')::bigint order by e.i), '{}') as cost
              from jsonb_array_elements(o.value -> 'lines') with ordinality as e(v, i)) l
     order by o.code
    on conflict (retailer_id, order_id) do update
       set (ordered_at, store, channel, customer, customer_groups, coupons, currency, discount_amount, total_amount,
            line_sku, line_quantity, line_price_amount, line_discount_amount, line_cost_amount, session, experiments)
         = (excluded.ordered_at, excluded.store, excluded.channel, excluded.customer, excluded.customer_groups, excluded.coupons,
            excluded.currency, excluded.discount_amount, excluded.total_amount, excluded.line_sku, excluded.line_quantity,
            excluded.line_price_amount, excluded.line_discount_amount, excluded.line_cost_amount, excluded.session, excluded.experiments)
     where h is distinct from excluded;
end
$$;

-- A quote's `experiments` as an order keeps them: {code: arm}.
create or replace function pos.arms_of(list jsonb) returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(jsonb_object_agg(e ->> 'code', e ->> 'arm'), '{}')
      from jsonb_array_elements(case jsonb_typeof(list) when 'array' then list else '[]' end) e
$$;

-- A JSON list of strings; null and nothing are empty.
create or replace function pos.texts(list jsonb) returns text[]
language sql immutable parallel safe set search_path = ''
as $$
    select case jsonb_typeof(list) when 'array' then array(select e.v from jsonb_array_elements_text(list) with ordinality as e(v, i) order by e.i)
                else '{}' end
$$;

-- As the API shows it: as it was imported, what was not said filled in.
create or replace function pos.past_order(h pos.order_history) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', h.order_id, 'at', pos.rfc3339(h.ordered_at), 'store', h.store, 'channel', h.channel,
               'customer', jsonb_build_object('id', h.customer, 'groups', to_jsonb(h.customer_groups)), 'coupons', to_jsonb(h.coupons),
               'currency', h.currency, 'discount', h.discount_amount, 'total', h.total_amount,
               'lines', coalesce((
                   select jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', trim_scale(l.quantity / 1000.0), 'unit_price', l.price,
                                                       'discount', l.discount, 'cost', l.cost) order by l.i)
                     from unnest(h.line_sku, h.line_quantity, h.line_price_amount, h.line_discount_amount, h.line_cost_amount)
                          with ordinality as l(sku, quantity, price, discount, cost, i)), '[]'))
        || case when h.session is not null then jsonb_build_object('session', h.session) else '{}' end
        || case when h.experiments <> '{}' then jsonb_build_object('experiments', (
                   select jsonb_agg(jsonb_build_object('code', x.key, 'arm', x.value) order by x.key collate "C")
                     from jsonb_each_text(h.experiments) x)) else '{}' end
$$;

-- list_order_history: GET /v1/order-history, in order of time
create or replace function api.list_order_history(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    me    bigint := pos.current_retailer();
    after text := pos.cursor_read(request);
    zone  text := (select r.timezone from pos.retailer r where r.retailer_id = me);
    since timestamptz;
    first timestamptz := pos.instant(request #>> '{query,from}', zone);
    upto  timestamptz := pos.instant(request #>> '{query,until}', zone);
begin
    if upto < first then
        perform pos.refuse_field('/query/until', 'empty_window', 'it must not be before from');
    end if;
    begin
        since := split_part(after, ' ', 1)::timestamptz;
    exception when others then
        if after <> '' then
            perform pos.refuse_field('/query/after', 'cursor', 'this is not a cursor that a list gave');
        end if;
    end;
    return pos.answer_page(request, (
        select jsonb_agg(jsonb_build_object('key', pos.rfc3339(t.ordered_at) || ' ' || t.order_id, 'doc', pos.past_order(t))
                         order by t.ordered_at, t.order_id)
          from (select h.* from pos.order_history h
                 where h.retailer_id = me
                   and (since is null or (h.ordered_at, h.order_id) > (since, substr(after, strpos(after, ' ') + 1)))
                   and h.ordered_at >= coalesce(first, '-infinity')
                   and h.ordered_at < coalesce(upto, 'infinity')
                 order by h.ordered_at, h.order_id limit pos.page_limit(request) + 1) t));
end
$$;

reset role;
