-- What the tables say against a version, and what nginx checks it by.

set local role pos_owner;

-- One thing that was found, for a merchandiser.
create or replace function pos.finding(severity text, code text, message text, pointer text default '', related jsonb default '[]')
returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    select jsonb_build_object('severity', severity, 'code', code, 'message', message, 'pointer', pointer, 'related', related)
$$;

drop function if exists pos.promotions_exclude(jsonb, jsonb);

-- How far two promotions keep each other out: 'order', only one of them is given; 'goods',
-- never both on one unit; null, they go together.
create or replace function pos.promotions_apart(a jsonb, b jsonb) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select case when 'alone' in (a ->> 'stacking', b ->> 'stacking') then 'order'
                when 'exclusive' in (a ->> 'stacking', b ->> 'stacking') or a ->> 'group' = b ->> 'group' then 'goods' end
$$;

-- The coupons that open a promotion, now or later: [{"code", "codes", "promotions"}], one
-- for each list of promotions. A batch is one row, as which its codes, which may be a
-- million, are counted; its code is their pattern.
create or replace function pos.coupons_opening(promotion text) returns jsonb
language sql stable set search_path = ''
as $$
    with said as (
        select x.document ->> 'code' as code, 1 as codes, x.document
          from pos.coupon x
         where x.retailer_id = pos.current_retailer() and x.batch_id is null and x.revoked_at is null
        union all
        select b.pattern, b.codes, b.document from pos.coupon_batch b where b.retailer_id = pos.current_retailer() and b.in_book
    ), opens as (
        select min(s.code) as code, sum(s.codes) as codes, s.document -> 'promotions' as promotions
          from said s, pos.retailer r
         where r.retailer_id = pos.current_retailer() and s.document -> 'promotions' ? coupons_opening.promotion
           and (pos.instant(s.document ->> 'until', r.timezone) > now()) is not false
         group by s.document -> 'promotions'
    )
    select coalesce(jsonb_agg(to_jsonb(o)), '[]') from opens o
$$;

-- Of a promotion that needs a coupon: does one open it, and what else does it open that
-- keeps it out?
create or replace function pos.coupon_findings(the pos.promotion, summary jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    opens jsonb := pos.coupons_opening(the.promotion_id);
begin
    if opens = '[]' then
        return jsonb_build_array(pos.finding('warning', 'no_coupon',
            'it needs a coupon, and no coupon opens it yet: nobody can get it', '/coupon'));
    end if;
    return (select coalesce(jsonb_agg(pos.finding('warning', 'coupon_shared',
                       format('the coupon %L%s also opens %L, and %s', s.code,
                              case when s.codes > 1 then format(' (and %s more)', s.codes - 1) else '' end, s.promotion_id,
                              case s.apart when 'order' then 'only one of the two is given in an order'
                                           else 'the two are never given on the same goods' end),
                       '/coupon', jsonb_build_array(s.promotion_id)) order by s.promotion_id), '[]')
              from (select p.promotion_id, pos.promotions_apart(coupon_findings.summary, v.summary) as apart,
                           min(o.v ->> 'code') as code, sum((o.v ->> 'codes')::bigint) as codes
                      from jsonb_array_elements(opens) o(v)
                     cross join lateral jsonb_array_elements_text(o.v -> 'promotions') e(id)
                      join pos.promotion p on p.retailer_id = the.retailer_id and p.promotion_id = e.id
                       and p.promotion_id <> the.promotion_id and p.state in ('active', 'scheduled')
                      join pos.promotion_version v
                        on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)
                     where pos.promotions_apart(coupon_findings.summary, v.summary) is not null
                     group by p.promotion_id, v.summary order by p.promotion_id limit 20) s);
end
$$;

-- What the tables alone say against a version: its times, its experiment, the coupons
-- that open it. The rest nginx finds with the engine.
create or replace function pos.promotion_findings(the pos.promotion, summary jsonb, schedule jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    active jsonb := pos.promotion_active(summary, schedule);
    zone   text := (select r.timezone from pos.retailer r where r.retailer_id = me);
    found  jsonb := '[]';
    arms   jsonb;
begin
    if pos.instant(active ->> 'until', zone) <= now() then
        found := found || pos.finding('error', 'expired',
            format('it ended on %s: it would never be given', active ->> 'until'), '/active/until');
    end if;
    if summary #>> '{experiment,code}' is not null then
        select x.document -> 'arms' into arms from pos.experiment x where x.retailer_id = me and x.code = summary #>> '{experiment,code}';
        if arms is null then
            found := found || pos.finding('error', 'unknown_experiment',
                format('there is no experiment %L: nobody would get it', summary #>> '{experiment,code}'), '/experiment/code');
        elsif not exists (select from jsonb_array_elements(arms) e where e ->> 'code' = summary #>> '{experiment,arm}'
                             and coalesce((e ->> 'weight')::int, 1) > 0) then
            found := found || pos.finding('error', 'unknown_arm',
                format('the experiment %L sends nobody to an arm %L: nobody would get it', summary #>> '{experiment,code}',
                       summary #>> '{experiment,arm}'), '/experiment/arm');
        end if;
    end if;
    if coalesce((summary ->> 'coupon')::boolean, false) then
        found := found || pos.coupon_findings(the, summary);
    end if;
    return found;
end
$$;

-- For nginx, before it checks or simulates: {"id", "version", "schedule", …} to the
-- version's row as the book would have it, what the tables say against it, and the
-- revision that the book must have reached. Locks nothing. Without `version` the newest.
-- `row` is null where there is nothing to check: then the operation says why, and
-- `replay` where that is the answer stored for this "idempotency_key".
create or replace function pos.promotion_to_check(request jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    me       bigint := pos.current_retailer();
    schedule jsonb := pos.schedule_of(request);
    the      pos.promotion;
    v        pos.promotion_version;
begin
    if (request ->> 'publishing')::boolean
       and exists (select from pos.idempotency i
                    where i.retailer_id = me and i.key_hash = sha256(convert_to(request ->> 'idempotency_key', 'UTF8'))) then
        return jsonb_build_object('row', null, 'replay', true);
    end if;
    select * into the from pos.promotion p where p.retailer_id = me and p.promotion_id = request ->> 'id';
    select * into v from pos.promotion_version x
     where (x.retailer_id, x.promotion_id, x.version)
         = (me, the.promotion_id, coalesce((request ->> 'version')::int, the.version));
    if v.version is null or (request ->> 'publishing')::boolean
                            and (the.state = 'archived' or pos.approval_missing(the, v.version, schedule) is not null) then
        return jsonb_build_object('row', null, 'version', v.version, 'known', the.promotion_id is not null, 'newest', the.version);
    end if;
    return jsonb_build_object('row', pos.promotion_row(v.document, v.summary, schedule)::jsonb, 'version', v.version, 'known', true,
        'summary', v.summary, 'needs_approval', pos.promotion_needs_approval(v.summary, v.script),
        'approved', pos.approval_missing(the, v.version, schedule) is null,
        'findings', pos.promotion_findings(the, v.summary, schedule),
        'margin_percent', (select r.document -> 'promotion_margin_percent' from pos.retailer r where r.retailer_id = me),
        'revision', (select r.rev from pos.revision r where r.retailer_id = me));
end
$$;

reset role;
