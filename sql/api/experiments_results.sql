-- What an experiment did, from the orders that were part of it.

set local role pos_owner;

-- Σ of the taxes of a region's rows for a category, over the net price: what ships says
-- nothing here, rows for a destination are left out.
create or replace function pos.tax_share(region text, category text) returns numeric
language plpgsql stable set search_path = ''
as $$
declare
    r     record;
    share numeric := 0;
begin
    for r in select (t.document ->> 'percent')::numeric / 100 as rate, coalesce((t.document ->> 'compound')::boolean, false) as compound
               from pos.tax t
              where t.retailer_id = pos.current_retailer() and t.region = tax_share.region
                and t.document ->> 'category' = tax_share.category and nullif(t.document -> 'ship_to', 'null') is null
              order by t.ordinal loop
        share := share + r.rate * case when r.compound then 1 + share else 1 end;
    end loop;
    return share;
end
$$;

-- The orders of an experiment: who they are of, what was paid and came off, and what is left
-- of it without tax and what the goods cost, where all of that is known. Tax is what the
-- book's rates of now make of it in the order's store; costs are the line's, else the
-- product's of now, which is in the retailer's currency: in another it is not known.
create or replace function pos.experiment_orders(the text, unit text, since timestamptz, upto timestamptz)
returns table (arm text, currency text, subject text, revenue numeric, discount numeric, margin numeric)
language plpgsql stable set search_path = '' set work_mem = '64MB' set jit = off
as $$
declare
    me   bigint := pos.current_retailer();
    home text := (select r.document ->> 'currency' from pos.retailer r where r.retailer_id = me);
begin
    return query
    with o as materialized (
        select e.arm, h.order_id, h.customer, h.session, h.store, h.currency, h.discount_amount, h.total_amount,
               h.line_sku, h.line_quantity, h.line_price_amount, h.line_discount_amount, h.line_cost_amount
          from pos.exposure e
          join pos.order_history h on h.retailer_id = me and h.order_id = e.order_id
         where e.retailer_id = me and e.code = the and e.ordered_at >= since and e.ordered_at < upto
    ), line as materialized (
        select o.order_id, o.store, o.currency, l.sku, l.quantity, l.price, l.discount, l.cost
          from o
         cross join lateral unnest(o.line_sku, o.line_quantity, o.line_price_amount, o.line_discount_amount, o.line_cost_amount)
                    as l(sku, quantity, price, discount, cost)
    ), product as materialized (
        select p.sku, (p.document ->> 'cost')::bigint as cost, coalesce(p.document ->> 'tax_category', '') as category
          from (select distinct x.sku from line x) k
          join pos.product p on p.retailer_id = me and p.sku = k.sku
    ), rate as materialized (
        select s.code as store, k.category, 1 + pos.tax_share(s.document ->> 'tax_region', k.category) as gross
          from (select distinct p.category from product p) k
         cross join (select distinct x.store from line x) t
          join pos.store s on s.retailer_id = me and s.code = t.store
    ), included as materialized (
        select l.document ->> 'currency' as currency, bool_or(coalesce((l.document ->> 'tax_included')::boolean, false)) as tax
          from pos.price_list l where l.retailer_id = me group by 1
    ), priced as (
        select x.order_id, round(x.quantity::numeric * x.price / 1000) - x.discount as paid, x.discount,
               round(x.quantity::numeric * coalesce(x.cost, case when x.currency = home then p.cost end) / 1000) as cost,
               case when i.tax then r.gross else 1 end as gross
          from line x
          left join product p on p.sku = x.sku
          left join rate r on r.store = x.store and r.category = p.category
          left join included i on i.currency = x.currency
    ), goods as (
        select x.order_id, sum(x.paid) as paid, sum(x.discount) as discount, sum(x.cost) as cost, sum(x.paid / x.gross) as net,
               bool_and(x.cost is not null and x.gross is not null) as known
          from priced x group by x.order_id
    )
    select o.arm, o.currency,
           case when unit = 'customer' and o.customer is not null then 'c' || o.customer
                when o.session is not null then 's' || o.session else 'o' || o.order_id end,
           coalesce(o.total_amount, g.paid - o.discount_amount, 0)::numeric,
           (coalesce(g.discount, 0) + o.discount_amount)::numeric,
           case when g.known then round(case when g.paid = 0 then 0 else g.net * (g.paid - o.discount_amount) / g.paid end) - g.cost end
      from o left join goods g using (order_id);
end
$$;

-- The metrics of one arm, compared with the control's.
create or replace function pos.experiment_metrics(a jsonb, b jsonb, compared boolean) returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    with of_arm as (
        select w.who, m.name, (w.s ->> m.clusters)::bigint as clusters, m.x, m.n,
               case when m.n <> 0 then m.x / m.n end as mean,
               pos.ratio_variance((w.s ->> m.clusters)::bigint, m.x, m.n, m.xx, m.xn, m.nn) as variance
          from (values ('control', a), ('arm', b)) w(who, s)
         cross join lateral (values
            ('order_value', 'subjects', (w.s ->> 'revenue')::numeric, (w.s ->> 'orders')::numeric, (w.s ->> 'rr')::numeric,
             (w.s ->> 'rn')::numeric, (w.s ->> 'nn')::numeric),
            ('order_discount', 'subjects', (w.s ->> 'discount')::numeric, (w.s ->> 'orders')::numeric, (w.s ->> 'dd')::numeric,
             (w.s ->> 'dn')::numeric, (w.s ->> 'nn')::numeric),
            ('order_margin', 'costed_subjects', (w.s ->> 'margin')::numeric, (w.s ->> 'costed')::numeric, (w.s ->> 'mm')::numeric,
             (w.s ->> 'mc')::numeric, (w.s ->> 'cc')::numeric),
            ('subject_revenue', 'subjects', (w.s ->> 'revenue')::numeric, (w.s ->> 'subjects')::numeric, (w.s ->> 'rr')::numeric,
             (w.s ->> 'revenue')::numeric, (w.s ->> 'subjects')::numeric)) m(name, clusters, x, n, xx, xn, nn)
    )
    select jsonb_object_agg(y.name, jsonb_build_object('mean', round(y.mean, 2), 'difference',
               case when compared then pos.ratio_difference(c.clusters, c.mean, c.variance, y.clusters, y.mean, y.variance) end))
      from of_arm y join of_arm c on c.name = y.name and c.who = 'control' where y.who = 'arm'
$$;

-- Did the arms get the shares of the subjects that their weights ask for? Chi-square; where
-- it would expect fewer than five somewhere it says nothing. Who is in an arm that nobody is
-- sent to is suspect by itself.
create or replace function pos.sample_ratio(arms jsonb, seen jsonb) returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    with arm as (
        select v ->> 'code' as code, coalesce((v ->> 'weight')::numeric, 1) as weight, coalesce((seen ->> (v ->> 'code'))::numeric, 0) as n, i
          from jsonb_array_elements(arms) with ordinality a(v, i)
    ), share as (
        select a.*, coalesce(sum(a.n) over () * a.weight / nullif(sum(a.weight) over (), 0), 0) as expected from arm a
    ), test as (
        select sum((s.n - s.expected) ^ 2 / s.expected) filter (where s.expected > 0) as chi_square,
               (count(*) filter (where s.weight > 0) - 1)::int as degrees,
               min(s.expected) filter (where s.weight > 0) as least, coalesce(sum(s.n) filter (where s.weight = 0), 0) as strays
          from share s
    ), told as (
        select t.*, case when t.least >= 5 and t.degrees > 0 then pos.chi_square_tail(t.chi_square::float8, t.degrees) end as p from test t
    )
    select jsonb_build_object(
        'arms', (select jsonb_agg(jsonb_build_object('arm', s.code, 'weight', s.weight, 'subjects', s.n, 'expected', round(s.expected, 2)) order by s.i)
                   from share s),
        'chi_square', case when t.p is not null then round(t.chi_square, 4) end, 'degrees', t.degrees, 'p_value', round(t.p::numeric, 6),
        'suspect', t.strays > 0 or coalesce(t.p < 0.001, false)) from told t
$$;

-- get_experiment_results: GET /v1/experiments/{code}/results. The control is the first arm.
create or replace function api.get_experiment_results(request jsonb) returns pos.response
language plpgsql stable set search_path = '' set work_mem = '64MB' set jit = off
as $$
declare
    me     bigint := pos.current_retailer();
    zone   text := (select r.timezone from pos.retailer r where r.retailer_id = me);
    since  timestamptz := coalesce(pos.instant(request #>> '{query,from}', zone), '-infinity');
    upto   timestamptz := coalesce(pos.instant(request #>> '{query,until}', zone), 'infinity');
    most   constant int := 50000;
    x      pos.experiment_life;
    unit   text;
    n      bigint;
    seen   jsonb;
    shared bigint;
    groups jsonb;
begin
    if upto < since then
        perform pos.refuse_field('/query/until', 'empty_window', 'it must not be before from');
    end if;
    select * into x from pos.experiment_life l where l.retailer_id = me and l.code = request #>> '{path,code}';
    if x.code is null then
        perform pos.refuse_not_found('experiment', request #>> '{path,code}');
    end if;
    select count(*) into n from (select from pos.exposure e
                                  where e.retailer_id = me and e.code = x.code and e.ordered_at >= since and e.ordered_at < upto limit most + 1) t;
    if n > most then
        perform pos.refuse_field('/query/from', 'too_many', format('more than %s orders are of it in this time: ask for less of it', most));
    end if;
    unit := coalesce(x.document ->> 'unit', 'customer');
    with ordered as materialized (
        select o.* from pos.experiment_orders(x.code, unit, since, upto) o
    ), subject as materialized (
        select o.currency, o.arm, o.subject, count(*)::numeric as n, sum(o.revenue) as r, sum(o.discount) as d, coalesce(sum(o.margin), 0) as m,
               count(o.margin)::numeric as c
          from ordered o group by o.currency, o.arm, o.subject
    ), sums as (
        -- of the subjects; and their squares and products, which the variances are of
        select s.currency, s.arm, jsonb_build_object('subjects', count(*), 'orders', sum(s.n), 'revenue', sum(s.r), 'discount', sum(s.d),
                   'margin', sum(s.m), 'costed', sum(s.c), 'costed_subjects', count(*) filter (where s.c > 0), 'nn', sum(s.n * s.n),
                   'rr', sum(s.r * s.r), 'rn', sum(s.r * s.n), 'dd', sum(s.d * s.d), 'dn', sum(s.d * s.n), 'mm', sum(s.m * s.m),
                   'mc', sum(s.m * s.c), 'cc', sum(s.c * s.c)) as s
          from subject s group by s.currency, s.arm
    ), arm as (
        select v ->> 'code' as code, i from jsonb_array_elements(x.document -> 'arms') with ordinality a(v, i)
    ), cell as (
        select c.currency, a.code, a.i, s.s, first_value(s.s) over (partition by c.currency order by a.i) as control
          from (select distinct s.currency from sums s) c
         cross join arm a left join sums s on s.currency = c.currency and s.arm = a.code
    ), by_currency as (
        select c.currency, jsonb_agg(jsonb_build_object('arm', c.code,
                       'orders', coalesce((c.s ->> 'orders')::numeric, 0), 'subjects', coalesce((c.s ->> 'subjects')::numeric, 0),
                       'revenue', coalesce((c.s ->> 'revenue')::numeric, 0), 'discount', coalesce((c.s ->> 'discount')::numeric, 0),
                       'margin', case when (c.s ->> 'costed')::numeric > 0 then (c.s ->> 'margin')::numeric end,
                       'known_cost_percent', round(100 * (c.s ->> 'costed')::numeric / nullif((c.s ->> 'orders')::numeric, 0), 2))
                   || pos.experiment_metrics(c.control, c.s, c.i > 1) order by c.i) as arms
          from cell c group by c.currency
    ), in_arm as (
        select d.arm, count(*) as n from (select distinct s.arm, s.subject from subject s) d group by d.arm
    )
    select (select jsonb_agg(jsonb_build_object('currency', k.currency, 'arms', k.arms) order by k.currency) from by_currency k),
           (select jsonb_object_agg(k.arm, k.n) from in_arm k),
           (select count(*) from (select from subject s group by s.subject having count(distinct s.arm) > 1) t)
      into groups, seen, shared;
    return pos.answer(200, jsonb_build_object('code', x.code, 'state', case when x.ended_at is null then 'running' else 'ended' end,
        'winner', x.winner, 'unit', unit, 'from', request #> '{query,from}', 'until', request #> '{query,until}', 'confidence', 0.95,
        'orders', n, 'subjects_in_several_arms', shared, 'sample_ratio', pos.sample_ratio(x.document -> 'arms', coalesce(seen, '{}')),
        'conversion', null, 'conversion_reason', 'carts are not kept: who saw an arm and bought nothing is not known',
        'currencies', coalesce(groups, '[]')));
end
$$;

reset role;
