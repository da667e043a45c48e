-- What a promotion does, to watch it by: counts from quotes, and how far its limits
-- and budgets are used.

set local role pos_owner;

-- For nginx: adds what a worker saw, [{"promotion", "currency", "evaluated", "applied",
-- "discount", "script_errors", "script_ns"}]. Rows in the order of their keys, so that
-- two workers never wait for each other in a ring.
create or replace function pos.promotion_tally(rows jsonb) returns void
language sql set search_path = ''
as $$
    insert into pos.promotion_stat as s (retailer_id, promotion_id, day, currency, evaluated, applied, discount, script_errors, script_ns)
    select r.retailer_id, p.promotion_id, (now() at time zone r.timezone)::date, x.currency, sum(x.evaluated), sum(x.applied), sum(x.discount),
           sum(x.script_errors), sum(x.script_ns)
      from jsonb_to_recordset(promotion_tally.rows) as x(promotion text, currency text, evaluated bigint, applied bigint, discount bigint,
                                                         script_errors bigint, script_ns bigint)
      join pos.retailer r on r.retailer_id = pos.current_retailer()
      join pos.promotion p on p.retailer_id = r.retailer_id and p.promotion_id = x.promotion
     group by r.retailer_id, p.promotion_id, r.timezone, x.currency
     order by p.promotion_id, x.currency
    on conflict (retailer_id, promotion_id, day, currency) do update
       set evaluated = s.evaluated + excluded.evaluated, applied = s.applied + excluded.applied, discount = s.discount + excluded.discount,
           script_errors = s.script_errors + excluded.script_errors, script_ns = s.script_ns + excluded.script_ns, updated_at = now()
$$;

-- How a limit stands in the window that is now: of all customers together.
create or replace function pos.limit_burn(the pos.promotion) returns jsonb
language sql stable set search_path = ''
as $$
    with bound as (
        select l.i, coalesce(l.v ->> 'of', 'uses') as of, coalesce(l.v ->> 'window', 'none') as span, (l.v ->> 'max')::bigint as most
          from pos.promotion_version v
         cross join jsonb_array_elements(coalesce(nullif(v.summary -> 'limits', 'null'), '[]')) with ordinality as l(v, i)
         where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, the.published_version)
           and coalesce(l.v ->> 'per', 'all') = 'all'
    )
    select coalesce(jsonb_agg(jsonb_build_object('of', b.of, 'window', b.span, 'since', case when b.span <> 'none' then w.since end,
               'max', b.most, 'used', coalesce(c.used, 0), 'reserved', coalesce(c.reserved, 0),
               'left', greatest(b.most - coalesce(c.used, 0) - coalesce(c.reserved, 0), 0),
               'percent', div(coalesce(c.used, 0)::numeric * 100, b.most)) order by b.i), '[]')
      from bound b
     cross join lateral (select pos.usage_since(b.span, now())) w(since)
      left join pos.usage_counter c
        on (c.retailer_id, c.kind, c.name, c.of, c.per, c.subject, c.span, c.since)
         = (the.retailer_id, 'promotion', the.promotion_id, b.of, 'all', '', b.span, w.since)
$$;

-- GET /v1/promotions/{id}/stats?from=&until=: days of the retailer's clock, both included.
create or replace function api.get_promotion_stats(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    the   pos.promotion;
    today date := (select (now() at time zone r.timezone)::date from pos.retailer r where r.retailer_id = pos.current_retailer());
    first date := coalesce((request #>> '{query,from}')::date, today - 29);
    last  date := coalesce((request #>> '{query,until}')::date, today);
begin
    select * into the from pos.promotion p where p.retailer_id = pos.current_retailer() and p.promotion_id = request #>> '{path,id}';
    if the.promotion_id is null then
        perform pos.refuse_not_found('promotion', request #>> '{path,id}');
    end if;
    if last < first then
        perform pos.refuse_fields(jsonb_build_array(pos.usage_fault('/query/until', 'empty_window', 'it must not be before from')));
    elsif last - first > 399 then
        perform pos.refuse_fields(jsonb_build_array(pos.usage_fault('/query/until', 'too_long', 'at most 400 days at once')));
    end if;
    return pos.answer(200, (
        with day as (
            select s.day, s.currency, s.evaluated, s.applied, s.discount, s.script_errors, s.script_ns, s.updated_at
              from pos.promotion_stat s
             where s.retailer_id = the.retailer_id and s.promotion_id = the.promotion_id and s.day between first and last
        )
        select jsonb_build_object('id', the.promotion_id, 'state', pos.promotion_resource(the) -> 'state', 'from', first, 'until', last,
            'counted_at', (select pos.rfc3339(max(d.updated_at)) from day d),
            'totals', (select coalesce(jsonb_agg(t.v order by t.currency), '[]') from (
                select d.currency, jsonb_build_object('currency', d.currency, 'evaluated', sum(d.evaluated), 'applied', sum(d.applied),
                       'discount', sum(d.discount), 'script_errors', sum(d.script_errors), 'script_us', sum(d.script_ns)::bigint / 1000) as v
                  from day d group by d.currency) t),
            'days', (select coalesce(jsonb_agg(jsonb_build_object('day', d.day, 'currency', d.currency, 'evaluated', d.evaluated,
                       'applied', d.applied, 'discount', d.discount, 'script_errors', d.script_errors, 'script_us', d.script_ns / 1000)
                       order by d.day, d.currency), '[]') from day d),
            'limits', pos.limit_burn(the))));
end
$$;

reset role;
