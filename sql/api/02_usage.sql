-- Counting: what orders use of coupons and of promotions' limits and budgets.
--
-- An order calls these in its own transaction; a slow checkout holds first and
-- commits later. Everything is counted under row locks, so a limit is never
-- overrun and nothing counts twice:
--
--   pos.usage_reserve(request)   takes for a while; what is not committed comes back
--   pos.usage_commit(request)    takes for good: what was reserved, or all at once
--   pos.usage_release(id)        gives back, what was committed too (a cancelled order)
--   pos.usage_read(id)           how it stands
--
-- request  {"id":         the order's or cart's own id: the same id again is the same order,
--           "coupons":    [codes, in any case], each counted once,
--           "promotions": [{"id", "uses": times applied (1), "amount": minor units given (0)}],
--           "customer", "store": whose counters count where a limit is per customer or store;
--                         without one such a limit does not bind, as in a quote,
--           "at":         the time whose day, week or month counts (now),
--           "expires_in": seconds that a reservation lasts (900)}
-- answer   {"id", "state": "held" | "expired" | "committed" | "released", "expires_at",
--           "coupons", "promotions", "customer", "store", "at",
--           "counters": [{"coupon" | "promotion", "of", "per", "subject", "window", "from",
--                         "quantity", "state"}], "created_at", "updated_at"}
--
-- Who is refused takes nothing, and learns all reasons at once, each with a
-- pointer into the request: 409 coupon_used_up, coupon_revoked, coupon_expired,
-- coupon_not_started, limit_reached (orders and uses), budget_reached (amounts),
-- illegal_state; 422 unknown_coupon, unknown_promotion; 404 not_found.
--
-- Repeats: reserving again replaces what the id holds, and its time begins anew;
-- committing or releasing again changes nothing. What is held stays held, in the
-- windows it was held in, even when the coupon is revoked or its limit lowered
-- meanwhile, and whether the commit says its content again or not. A commit that
-- comes after its hold was over takes all anew, by the book and the time of now,
-- if there is still room.
--
-- Locks: the usage's own row; counters that are new, in the order of their keys;
-- all its counters, in the order of their keys. Only then are coupons, limits and
-- the clock looked at: who waited goes by what holds now. No lock is waited for in
-- another order, so two of these never deadlock, however many counters they share.
-- (The counter of a limit that is published while one waits comes last, out of
-- order: the deadlock that this could be, PostgreSQL breaks, and nginx repeats.)
-- Call one of them a transaction, after stock and before the receipt counter, in
-- READ COMMITTED; the locks are held to its end.

set local role pos_owner;

-- A fault of a request, as a problem lists it.
create or replace function pos.usage_fault(pointer text, code text, message text) returns jsonb
language sql immutable set search_path = ''
as $$ select jsonb_build_object('pointer', pointer, 'code', code, 'message', message) $$;

-- The first day of the window that a time is in, by the retailer's clock.
create or replace function pos.usage_since(span text, at timestamptz) returns date
language sql stable set search_path = ''
as $$
    select case when span = 'none' then date '1970-01-01' else date_trunc(span, at at time zone r.timezone)::date end
      from pos.retailer r where r.retailer_id = pos.current_retailer()
$$;

-- A coupon's state as of now, its counter aside: active, scheduled, expired or revoked.
create or replace function pos.coupon_standing(c pos.coupon) returns text
language sql stable set search_path = ''
as $$
    select case when c.revoked_at is not null or exists (
                     select from pos.coupon_batch b
                      where b.retailer_id = c.retailer_id and b.batch_id = c.batch_id and b.state = 'revoked') then 'revoked'
                when pos.instant(c.document ->> 'until', r.timezone) <= clock_timestamp() then 'expired'
                when pos.instant(c.document ->> 'from', r.timezone) > clock_timestamp() then 'scheduled'
                else 'active' end
      from pos.retailer r where r.retailer_id = c.retailer_id
$$;

-- Each code that a request says, with its coupon. Row-level security lets no
-- function of a row come near an index: each is looked up by itself, so that what
-- it costs does not follow how many codes there are.
create or replace function pos.usage_coupons(content jsonb) returns table (i bigint, said text, coupon pos.coupon)
language sql stable set search_path = ''
as $$
    select e.i, e.v, c.c
      from jsonb_array_elements_text(coalesce(nullif(content -> 'coupons', 'null'), '[]')) with ordinality as e(v, i)
      left join lateral (select x as c from pos.coupon x
                          where x.retailer_id = pos.current_retailer() and x.code = upper(e.v collate "C") offset 0) c on true
$$;

-- What a request takes, a row a counter, by the book of now; `most` is the
-- limit (null: none). A limit is counted from when it is published; a coupon
-- is counted whether it has one or not, but by customer only where it has.
create or replace function pos.usage_wants(content jsonb)
returns table (kind text, name text, of text, per text, subject text, span text, since date, quantity bigint, most bigint, pointer text)
language sql stable set search_path = ''
as $$
    with said as (
        select nullif(content ->> 'customer', '') as customer, nullif(content ->> 'store', '') as store,
               (content ->> 'at')::timestamptz as at
    ), coupon as (
        select (e.coupon).code, (e.coupon).document, '/coupons/' || min(e.i - 1) as pointer
          from pos.usage_coupons(content) e where (e.coupon).code is not null group by 1, 2
    ), asked as (
        select e.v ->> 'id' as id, sum(coalesce((e.v ->> 'uses')::bigint, 1))::bigint as uses,
               sum(coalesce((e.v ->> 'amount')::bigint, 0))::bigint as amount, '/promotions/' || min(e.i - 1) as pointer
          from jsonb_array_elements(coalesce(nullif(content -> 'promotions', 'null'), '[]')) with ordinality as e(v, i)
         group by e.v ->> 'id'
    ), bound as (
        select a.id, a.pointer, coalesce(l ->> 'of', 'uses') as of, coalesce(l ->> 'per', 'all') as per,
               coalesce(l ->> 'window', 'none') as span, (l ->> 'max')::bigint as most,
               case coalesce(l ->> 'of', 'uses') when 'uses' then a.uses when 'orders' then 1 else a.amount end as quantity
          from asked a
         cross join lateral (
               select x.summary from pos.promotion p
                 join pos.promotion_version x
                   on (x.retailer_id, x.promotion_id, x.version) = (p.retailer_id, p.promotion_id, p.published_version)
                where p.retailer_id = pos.current_retailer() and p.promotion_id = a.id offset 0) v
         cross join jsonb_array_elements(coalesce(nullif(v.summary -> 'limits', 'null'), '[]')) l
    ), want as (
        select 'coupon' as kind, c.code as name, 'orders' as of, 'all' as per, '' as subject, 'none' as span, 1::bigint as quantity,
               (c.document ->> 'remaining')::bigint as most, c.pointer
          from coupon c
        union all
        select 'coupon', c.code, 'orders', 'customer', s.customer, 'none', 1, (c.document ->> 'per_customer')::bigint, c.pointer
          from coupon c, said s where c.document ->> 'per_customer' is not null and s.customer is not null
        union all
        select 'promotion', b.id, b.of, b.per, case b.per when 'all' then '' when 'customer' then s.customer when 'store' then s.store end,
               b.span, b.quantity, b.most, b.pointer
          from bound b, said s where b.per <> 'order' and b.quantity > 0
    )
    select w.kind, w.name, w.of, w.per, w.subject, w.span, pos.usage_since(w.span, s.at), w.quantity, min(w.most), w.pointer
      from want w, said s where w.subject is not null
     group by w.kind, w.name, w.of, w.per, w.subject, w.span, s.at, w.quantity, w.pointer
$$;

-- The same as JSON.
create or replace function pos.usage_wanted(content jsonb) returns jsonb
language sql stable set search_path = ''
as $$ select coalesce(jsonb_agg(to_jsonb(w)), '[]') from pos.usage_wants(content) w $$;

-- What stands against a request whatever is left: a list of faults.
create or replace function pos.usage_faults(content jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    with fault as (
        select 1 as part, e.i, case when (e.coupon).code is null
                    then pos.usage_fault('/coupons/' || (e.i - 1), 'unknown_coupon', format('there is no coupon %L', e.said))
                    else case pos.coupon_standing(e.coupon)
                         when 'revoked' then pos.usage_fault('/coupons/' || (e.i - 1), 'coupon_revoked', format('coupon %L is revoked', e.said))
                         when 'expired' then pos.usage_fault('/coupons/' || (e.i - 1), 'coupon_expired', format('coupon %L is over', e.said))
                         when 'scheduled' then pos.usage_fault('/coupons/' || (e.i - 1), 'coupon_not_started', format('coupon %L is yet to start', e.said))
                         end end as said
          from pos.usage_coupons(content) e
        union all
        select 2, e.i, pos.usage_fault('/promotions/' || (e.i - 1) || '/id', 'unknown_promotion',
                                       format('there is no promotion %L that was ever published', e.v ->> 'id'))
          from jsonb_array_elements(coalesce(nullif(content -> 'promotions', 'null'), '[]')) with ordinality as e(v, i)
         where not exists (select from pos.promotion p
                            where p.retailer_id = pos.current_retailer() and p.promotion_id = e.v ->> 'id' and p.published_version is not null
                           offset 0)
    )
    select coalesce(jsonb_agg(f.said order by f.part, f.i) filter (where f.said is not null), '[]') from fault f
$$;

-- Every reason at once: 422 where something is not there, else 409 by the first.
create or replace function pos.usage_refuse(faults jsonb) returns void
language plpgsql set search_path = ''
as $$
begin
    if jsonb_array_length(faults) = 0 then
        return;
    end if;
    if faults @> '[{"code": "unknown_coupon"}]' or faults @> '[{"code": "unknown_promotion"}]' then
        perform pos.refuse_fields(faults);
    end if;
    perform pos.refuse('POS09', faults #>> '{0,code}', faults #>> '{0,message}', faults);
end
$$;

-- A usage as it stands.
create or replace function pos.usage_resource(u pos.usage) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', u.usage_id,
               'state', case when u.state = 'held' and u.expires_at <= clock_timestamp() then 'expired' else u.state end,
               'expires_at', pos.rfc3339(u.expires_at),
               'coupons', coalesce(nullif(u.content -> 'coupons', 'null'), '[]'),
               'promotions', coalesce(nullif(u.content -> 'promotions', 'null'), '[]'),
               'customer', u.content -> 'customer', 'store', u.content -> 'store', 'at', u.content -> 'at',
               'counters', coalesce((
                   select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(l.kind, l.name, 'of', l.of, 'per', l.per,
                              'subject', nullif(l.subject, ''), 'window', nullif(l.span, 'none'),
                              'from', case when l.span <> 'none' then l.since end, 'quantity', l.quantity,
                              'state', case when l.state = 'held' and l.expires_at <= clock_timestamp() then 'expired' else l.state end))
                          order by l.kind, l.name, l.of, l.per, l.subject, l.span, l.since)
                     from pos.usage_line l where l.retailer_id = u.retailer_id and l.usage_id = u.usage_id), '[]'),
               'created_at', pos.rfc3339(u.created_at), 'updated_at', pos.rfc3339(u.updated_at))
$$;

-- How a usage stands; null: there is none.
create or replace function pos.usage_read(the text) returns jsonb
language sql stable set search_path = ''
as $$
    select pos.usage_resource(u) from pos.usage u where u.retailer_id = pos.current_retailer() and u.usage_id = the
$$;

-- Takes what is overdue out of a counter that this transaction has locked, but
-- for what the usage `but` holds: that one is about to be settled. At most 1,000
-- lines a call are brought back, so that nobody waits for a crowd's; the counter
-- that is given has all that is overdue taken off, brought back or not.
create or replace function pos.usage_expire(c pos.usage_counter, but text) returns pos.usage_counter
language plpgsql set search_path = ''
as $$
declare
    due   timestamptz := clock_timestamp();
    lines bigint;
    gone  bigint;
    rest  bigint;
begin
    if c.reserved = 0 then
        return c;
    end if;
    with over as (
        update pos.usage_line l set state = 'expired'
         where (l.retailer_id, l.kind, l.name, l.of, l.per, l.subject, l.span, l.since)
             = (c.retailer_id, c.kind, c.name, c.of, c.per, c.subject, c.span, c.since)
           and l.usage_id = any (array(
               select o.usage_id from pos.usage_line o
                where (o.retailer_id, o.kind, o.name, o.of, o.per, o.subject, o.span, o.since)
                    = (c.retailer_id, c.kind, c.name, c.of, c.per, c.subject, c.span, c.since)
                  and o.state = 'held' and o.expires_at <= due and o.usage_id <> but
                order by o.expires_at limit 1000))
        returning l.quantity)
    select count(*), coalesce(sum(o.quantity), 0) into lines, gone from over o;
    if lines > 0 then
        update pos.usage_counter x set reserved = x.reserved - gone
         where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
             = (c.retailer_id, c.kind, c.name, c.of, c.per, c.subject, c.span, c.since)
        returning x.* into strict c;
    end if;
    if lines = 1000 then
        select coalesce(sum(l.quantity), 0) into rest from pos.usage_line l
         where (l.retailer_id, l.kind, l.name, l.of, l.per, l.subject, l.span, l.since)
             = (c.retailer_id, c.kind, c.name, c.of, c.per, c.subject, c.span, c.since)
           and l.state = 'held' and l.expires_at <= due and l.usage_id <> but;
        c.reserved := c.reserved - rest;
    end if;
    return c;
end
$$;

-- The counters that a usage comes by, in the order of their keys: what it has, and
-- what `wants` says (the rows of pos.usage_wants, as JSON). No quantity: it is to have none.
create or replace function pos.usage_steps(u pos.usage, wants jsonb)
returns table (kind text, name text, of text, per text, subject text, span text, since date, quantity bigint, most bigint, pointer text)
language sql stable set search_path = ''
as $$
    select k.kind, k.name, k.of, k.per, k.subject, k.span, k.since, x.quantity, x.most, x.pointer
      from (select l.kind, l.name, l.of, l.per, l.subject, l.span, l.since from pos.usage_line l
             where l.retailer_id = u.retailer_id and l.usage_id = u.usage_id and l.state <> 'released'
            union
            select r.kind, r.name, r.of, r.per, r.subject, r.span, r.since
              from jsonb_to_recordset(wants) as r(kind text, name text, of text, per text, subject text, span text, since date)) k
      left join jsonb_to_recordset(wants) as x(kind text, name text, of text, per text, subject text, span text, since date,
                                               quantity bigint, most bigint, pointer text)
        on (x.kind, x.name, x.of, x.per, x.subject, x.span, x.since) = (k.kind, k.name, k.of, k.per, k.subject, k.span, k.since)
     order by k.kind collate "C", k.name collate "C", k.of collate "C", k.per collate "C", k.subject collate "C", k.span collate "C", k.since
$$;

-- The counters that a usage will come by, made where they are new, and locked.
create or replace function pos.usage_lock(u pos.usage, wants jsonb) returns void
language plpgsql set search_path = ''
as $$
declare
    w record;
begin
    insert into pos.usage_counter (retailer_id, kind, name, of, per, subject, span, since)
    select u.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since
      from pos.usage_steps(u, wants) x where x.quantity is not null
        on conflict do nothing;
    for w in select * from pos.usage_steps(u, wants) loop
        perform from pos.usage_counter x
          where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
              = (u.retailer_id, w.kind, w.name, w.of, w.per, w.subject, w.span, w.since) for no key update;
    end loop;
end
$$;

-- 50, 80 or 100: how much of a limit is used, in per cent, as events tell of it.
create or replace function pos.usage_reached(used bigint, most bigint) returns smallint
language sql immutable parallel safe set search_path = ''
as $$
    select case when used >= most then 100 when used::numeric * 100 >= most::numeric * 80 then 80
                when used::numeric * 100 >= most::numeric * 50 then 50 else 0 end::smallint
$$;

-- What orders used of a promotion's limit has grown since the counter was as given, under
-- its lock: an event where it came to 50, 80 or 100 per cent, once. A limit that was raised
-- tells anew; what is given back and used again does not.
create or replace function pos.usage_tell(was pos.usage_counter) returns void
language plpgsql set search_path = ''
as $$
declare
    most    bigint := (
        select min((l ->> 'max')::bigint)
          from pos.promotion p
          join pos.promotion_version v on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)
         cross join jsonb_array_elements(coalesce(nullif(v.summary -> 'limits', 'null'), '[]')) l
         where p.retailer_id = pos.current_retailer() and p.promotion_id = was.name
           and coalesce(l ->> 'of', 'uses') = was.of and coalesce(l ->> 'per', 'all') = 'all'
           and coalesce(l ->> 'window', 'none') = was.span);
    c       pos.usage_counter;
    known   smallint;
    reached smallint;
begin
    if most is null then
        return;
    end if;
    select * into strict c from pos.usage_counter x
     where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
         = (pos.current_retailer(), 'promotion', was.name, was.of, 'all', '', was.span, was.since);
    reached := pos.usage_reached(c.used, most);
    known := case when c.told_most is not distinct from most then c.told else least(c.told, pos.usage_reached(was.used, most)) end;
    if reached > known then
        perform pos.emit('promotion.limit_reached', concat_ws('/', 'limit', was.name, was.of, was.span),
            jsonb_build_object('promotion', was.name, 'percent', reached, 'of', was.of, 'window', was.span,
                               'since', case when was.span <> 'none' then was.since end, 'max', most, 'used', c.used));
    end if;
    if c.told_most is distinct from most or reached > c.told then
        update pos.usage_counter x set told = greatest(known, reached), told_most = most
         where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
             = (c.retailer_id, c.kind, c.name, c.of, c.per, c.subject, c.span, c.since);
    end if;
end
$$;

-- Brings a usage, whose row and counters this transaction has locked, to its state with
-- what `wants` says; what it had of other counters goes back. Gives the faults of what
-- there is no room for.
create or replace function pos.usage_settle(u pos.usage, wants jsonb, expires timestamptz) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    faults jsonb := '[]';
    w      record;
    c      pos.usage_counter;
    own    pos.usage_line;
    had    bigint;
begin
    for w in select * from pos.usage_steps(u, wants) loop
        select * into c from pos.usage_counter x
         where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
             = (u.retailer_id, w.kind, w.name, w.of, w.per, w.subject, w.span, w.since) for no key update;
        if not found then
            -- Its limit was published since the others were locked.
            perform pos.usage_lock(u, wants);
            select * into strict c from pos.usage_counter x
             where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
                 = (u.retailer_id, w.kind, w.name, w.of, w.per, w.subject, w.span, w.since);
        end if;
        c := pos.usage_expire(c, u.usage_id);
        -- Under the counter's lock: another may have let it expire meanwhile.
        select * into own from pos.usage_line l
         where (l.retailer_id, l.usage_id, l.kind, l.name, l.of, l.per, l.subject, l.span, l.since)
             = (u.retailer_id, u.usage_id, w.kind, w.name, w.of, w.per, w.subject, w.span, w.since);
        had := case when own.state in ('held', 'committed') then own.quantity else 0 end;
        if w.quantity is null and had = 0 then
            -- It lost this one, and asks for it no more: a commit must not want it back.
            update pos.usage_line l set state = 'released'
             where (l.retailer_id, l.usage_id, l.kind, l.name, l.of, l.per, l.subject, l.span, l.since)
                 = (u.retailer_id, u.usage_id, w.kind, w.name, w.of, w.per, w.subject, w.span, w.since);
            continue;
        end if;
        if w.quantity > had and c.used + c.reserved - had + w.quantity > w.most then
            faults := faults || jsonb_build_array(pos.usage_no_room(c, w.most, had, w.pointer));
            continue;
        end if;
        update pos.usage_counter x
           set used = x.used - case own.state when 'committed' then had else 0 end
                    + case u.state when 'committed' then coalesce(w.quantity, 0) else 0 end,
               reserved = x.reserved - case own.state when 'held' then had else 0 end
                    + case u.state when 'held' then coalesce(w.quantity, 0) else 0 end
         where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
             = (u.retailer_id, w.kind, w.name, w.of, w.per, w.subject, w.span, w.since);
        if u.state = 'committed' and w.quantity > 0 and w.kind = 'promotion' and w.per = 'all' then
            perform pos.usage_tell(c);
        end if;
        insert into pos.usage_line as l (retailer_id, usage_id, kind, name, of, per, subject, span, since, quantity, state, expires_at)
        values (u.retailer_id, u.usage_id, w.kind, w.name, w.of, w.per, w.subject, w.span, w.since, coalesce(w.quantity, had),
                case when w.quantity is null then 'released' else u.state end, case when w.quantity is not null then expires end)
            on conflict (retailer_id, usage_id, kind, name, of, per, subject, span, since)
            do update set quantity = excluded.quantity, state = excluded.state, expires_at = excluded.expires_at;
    end loop;
    return faults;
end
$$;

-- The fault of a counter that has not enough left.
create or replace function pos.usage_no_room(c pos.usage_counter, most bigint, had bigint, pointer text) returns jsonb
language sql stable set search_path = ''
as $$
    select pos.usage_fault(pointer,
               case when c.kind = 'coupon' then 'coupon_used_up' when c.of = 'amount' then 'budget_reached' else 'limit_reached' end,
               format('%s %L has %s left of %s %s%s%s', c.kind, c.name, greatest(most - c.used - c.reserved + had, 0), most,
                      case c.of when 'amount' then 'minor units' else c.of end,
                      case c.per when 'all' then '' else format(' for the %s %L', c.per, c.subject) end,
                      case c.span when 'none' then '' else format(' in the %s from %s', c.span, c.since) end))
$$;

-- The usage's row, locked; made in state `state`, for the key `owner`, where it is new
-- (`fresh`).
drop function if exists pos.usage_open(text, jsonb, text, timestamptz);
create or replace function pos.usage_open(the text, content jsonb, state text, expires timestamptz, owner text,
    out u pos.usage, out fresh boolean)
language plpgsql set search_path = ''
as $$
begin
    insert into pos.usage (retailer_id, usage_id, state, content, expires_at, created_by)
    values (pos.current_retailer(), the, usage_open.state, usage_open.content, expires, owner) on conflict do nothing returning * into u;
    fresh := found;
    if not fresh then
        select * into strict u from pos.usage x where x.retailer_id = pos.current_retailer() and x.usage_id = the for update;
    end if;
end
$$;

-- A request's content as it is kept: its time said.
create or replace function pos.usage_content(request jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('coupons', coalesce(nullif(request -> 'coupons', 'null'), '[]'),
               'promotions', coalesce(nullif(request -> 'promotions', 'null'), '[]'),
               'customer', request -> 'customer', 'store', request -> 'store',
               'at', pos.rfc3339(coalesce(pos.instant(request ->> 'at', r.timezone), now())))
      from pos.retailer r where r.retailer_id = pos.current_retailer()
$$;

-- Reserves, and says how it stood before (null: it is new). A usage that another key
-- than `owner` made is refused, but to who may see all (`every`).
create or replace function pos.usage_hold(request jsonb, owner text, every boolean, out before jsonb, out after jsonb)
language plpgsql set search_path = ''
as $$
declare
    asked   jsonb := pos.usage_content(request);
    expires timestamptz := clock_timestamp() + make_interval(secs => coalesce((request ->> 'expires_in')::int, 900));
    opened  record;
    u       pos.usage;
    faults  jsonb;
begin
    select * into opened from pos.usage_open(request ->> 'id', asked, 'held', expires, owner);
    u := opened.u;
    if u.created_by is distinct from owner and not every then
        perform pos.refuse('POS09', 'reservation_taken', format('another key has a reservation %L', u.usage_id));
    end if;
    if u.state = 'committed' then
        perform pos.refuse_state('reservation', 'committed', '{release}');
    end if;
    if not opened.fresh then
        before := pos.usage_resource(u);
        update pos.usage x set state = 'held', content = asked, expires_at = expires, updated_at = clock_timestamp()
         where x.retailer_id = u.retailer_id and x.usage_id = u.usage_id returning x.* into u;
    end if;
    perform pos.usage_lock(u, pos.usage_wanted(asked));
    faults := pos.usage_faults(asked);
    if faults = '[]' then
        faults := pos.usage_settle(u, pos.usage_wanted(asked), expires);
    end if;
    perform pos.usage_refuse(faults);
    after := pos.usage_resource(u);
end
$$;

create or replace function pos.usage_reserve(request jsonb) returns jsonb
language sql set search_path = ''
as $$ select h.after from pos.usage_hold(request, null, true) h $$;

-- What a usage holds, as wants, whatever the book says by now.
drop function if exists pos.usage_held(pos.usage, jsonb);
create or replace function pos.usage_held(u pos.usage) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(jsonb_build_object('kind', l.kind, 'name', l.name, 'of', l.of, 'per', l.per, 'subject', l.subject,
               'span', l.span, 'since', l.since, 'quantity', l.quantity)), '[]')
      from pos.usage_line l where l.retailer_id = u.retailer_id and l.usage_id = u.usage_id and l.state = 'held'
$$;

-- Is its hold over, or was any of it given to others?
create or replace function pos.usage_late(u pos.usage) returns boolean
language sql volatile set search_path = ''
as $$
    select coalesce(u.expires_at <= clock_timestamp(), false)
        or exists (select from pos.usage_line l where l.retailer_id = u.retailer_id and l.usage_id = u.usage_id and l.state = 'expired')
$$;

-- What stands against a commit's content, but for codes that it holds: a coupon
-- that is revoked or over by now is still its own.
create or replace function pos.usage_faults_but_held(u pos.usage, content jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(f.v order by f.i), '[]')
      from jsonb_array_elements(pos.usage_faults(content)) with ordinality as f(v, i)
     where f.v ->> 'code' not in ('coupon_revoked', 'coupon_expired', 'coupon_not_started')
        or not exists (select from pos.usage_line l
                        where l.retailer_id = u.retailer_id and l.usage_id = u.usage_id and l.kind = 'coupon' and l.state = 'held'
                          and l.name = upper((content #>> string_to_array(ltrim(f.v ->> 'pointer', '/'), '/')) collate "C"))
$$;

-- Without `coupons` and `promotions`: what was reserved, as it was.
create or replace function pos.usage_commit(request jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    said   boolean := request ?| '{coupons,promotions}';
    asked  jsonb := pos.usage_content(request);
    opened record;
    u      pos.usage;
    late   boolean;
    faults jsonb := '[]';
begin
    if not said and pos.usage_read(request ->> 'id') is null then
        perform pos.refuse_not_found('reservation', request ->> 'id');
    end if;
    select * into opened from pos.usage_open(request ->> 'id', asked, 'committed', null, null);
    u := opened.u;
    if u.state = 'committed' and not opened.fresh then
        return pos.usage_resource(u);
    end if;
    if u.state = 'released' then
        perform pos.refuse_state('reservation', 'released', '{reserve}');
    end if;
    late := pos.usage_late(u);
    if not said then
        asked := u.content || jsonb_build_object('at', asked -> 'at');
    end if;
    if not late and not (said and request ->> 'at' is not null) then
        asked := asked || jsonb_build_object('at', u.content -> 'at');
    end if;
    perform pos.usage_lock(u, pos.usage_wanted(asked));
    -- What it holds it keeps; what it lost, while it waited perhaps, is taken anew.
    late := pos.usage_late(u);
    if late then
        faults := pos.usage_faults(asked);
    elsif said then
        faults := pos.usage_faults_but_held(u, asked);
    end if;
    update pos.usage x set state = 'committed', content = asked, expires_at = null, updated_at = clock_timestamp()
     where x.retailer_id = u.retailer_id and x.usage_id = u.usage_id returning x.* into u;
    if faults = '[]' then
        faults := pos.usage_settle(u, case when said or late then pos.usage_wanted(asked) else pos.usage_held(u) end, null);
    end if;
    perform pos.usage_refuse(faults);
    return pos.usage_resource(u);
end
$$;

create or replace function pos.usage_release(the text) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    u pos.usage;
begin
    select * into u from pos.usage x where x.retailer_id = pos.current_retailer() and x.usage_id = the for update;
    if u.usage_id is null then
        perform pos.refuse_not_found('reservation', the);
    end if;
    if u.state <> 'released' then
        update pos.usage x set state = 'released', expires_at = null, updated_at = clock_timestamp()
         where x.retailer_id = u.retailer_id and x.usage_id = u.usage_id returning * into u;
        perform pos.usage_settle(u, '[]', null);
    end if;
    return pos.usage_resource(u);
end
$$;

-- For posd: gives back what is overdue, of up to `most` counters of the
-- transaction's retailer, in about 200 ms: their locks are held to its end. Waits
-- for no lock: whoever holds one looks itself. How many counters had some.
create or replace function pos.usage_sweep(most int default 500) returns bigint
language plpgsql set search_path = ''
as $$
declare
    due   timestamptz := clock_timestamp();
    ended bigint := 0;
    k     record;
    c     pos.usage_counter;
    n     bigint;
begin
    for k in
        select distinct l.kind, l.name, l.of, l.per, l.subject, l.span, l.since
          from pos.usage_line l
         where l.retailer_id = pos.current_retailer() and l.state = 'held' and l.expires_at <= due limit most
    loop
        select * into c from pos.usage_counter x
         where (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
             = (pos.current_retailer(), k.kind, k.name, k.of, k.per, k.subject, k.span, k.since) for no key update skip locked;
        if found then
            n := c.reserved;
            c := pos.usage_expire(c, '');
            ended := ended + (n > c.reserved)::int;
        end if;
        exit when clock_timestamp() > due + interval '200 ms';
    end loop;
    return ended;
end
$$;

-- For posd: whose holds are overdue, by its policy of all retailers.
create or replace function pos.usage_overdue() returns table (retailer_id bigint)
language sql stable set search_path = ''
as $$ select distinct l.retailer_id from pos.usage_line l where l.state = 'held' and l.expires_at <= statement_timestamp() $$;

reset role;
