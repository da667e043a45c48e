-- What the tables say against a version, and what nginx checks it by.

set local role pos_owner;

-- One thing that was found, for a merchandiser.
create or replace function pos.finding(severity text, code text, message text, pointer text default '', related jsonb default '[]')
returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    select jsonb_build_object('severity', severity, 'code', code, 'message', message, 'pointer', pointer, 'related', related)
$$;

-- Do two promotions' documents never share a unit?
create or replace function pos.promotions_exclude(a jsonb, b jsonb) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(a ->> 'stacking', 'combine') <> 'combine' or coalesce(b ->> 'stacking', 'combine') <> 'combine'
        or coalesce(a ->> 'group' = b ->> 'group', false)
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
    c      record;
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
        if not exists (select from pos.coupon x where x.retailer_id = me and x.document -> 'promotions' ? the.promotion_id) then
            found := found || pos.finding('warning', 'no_coupon',
                'it needs a coupon, and no coupon opens it yet: nobody can get it', '/coupon');
        end if;
        for c in
            select p.promotion_id, min(x.document ->> 'code') as code, count(*) as n
              from pos.coupon x
              cross join lateral jsonb_array_elements_text(x.document -> 'promotions') o(id)
              join pos.promotion p on p.retailer_id = me and p.promotion_id = o.id and p.promotion_id <> the.promotion_id
               and p.state in ('active', 'scheduled')
              join pos.promotion_version v on (v.retailer_id, v.promotion_id, v.version) = (me, p.promotion_id, p.published_version)
             where x.retailer_id = me and x.document -> 'promotions' ? the.promotion_id
               and pos.promotions_exclude(promotion_findings.summary, v.summary)
             group by p.promotion_id order by p.promotion_id limit 20
        loop
            found := found || pos.finding('warning', 'coupon_shared',
                format('the coupon %L%s also opens %L, and the two never share goods: one of them is not given', c.code,
                       case when c.n > 1 then format(' (and %s more)', c.n - 1) else '' end, c.promotion_id),
                '/coupon', jsonb_build_array(c.promotion_id));
        end loop;
    end if;
    return found;
end
$$;

-- For nginx, before it checks or simulates: {"id", "version", "schedule", …} to the
-- version's row as the book would have it, what the tables say against it, and the
-- revision that the book must have reached. Locks nothing. Without `version` the newest.
-- `row` is null where there is nothing to check: then the operation says why.
create or replace function pos.promotion_to_check(request jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    me       bigint := pos.current_retailer();
    schedule jsonb := pos.schedule_of(request);
    the      pos.promotion;
    v        pos.promotion_version;
begin
    select * into the from pos.promotion p where p.retailer_id = me and p.promotion_id = request ->> 'id';
    select * into v from pos.promotion_version x
     where (x.retailer_id, x.promotion_id, x.version)
         = (me, the.promotion_id, coalesce((request ->> 'version')::int, the.version));
    if v.version is null or (request ->> 'publishing')::boolean
                            and (the.state = 'archived' or not pos.promotion_approved(the, v.version)) then
        return jsonb_build_object('row', null, 'version', v.version, 'known', the.promotion_id is not null, 'newest', the.version);
    end if;
    return jsonb_build_object('row', pos.promotion_row(v.document, v.summary, schedule)::jsonb, 'version', v.version, 'known', true,
        'summary', v.summary, 'needs_approval', pos.promotion_needs_approval(v.summary),
        'approved', pos.promotion_approved(the, v.version),
        'findings', pos.promotion_findings(the, v.summary, schedule),
        'margin_percent', (select r.document -> 'promotion_margin_percent' from pos.retailer r where r.retailer_id = me),
        'revision', (select r.rev from pos.revision r where r.retailer_id = me));
end
$$;

reset role;
