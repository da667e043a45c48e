-- Back-tests: what a version of a promotion would have made of past orders. posd runs
-- them (posd/backtest.h).

set local role pos_owner;

-- As the API shows it; a list leaves the result out.
create or replace function pos.backtest_resource(b pos.backtest, whole boolean) returns jsonb
language sql stable set search_path = ''
as $$
    select b.params || jsonb_build_object('id', b.backtest_id, 'promotion', b.promotion_id, 'version', b.version, 'job', b.job_id,
               'status', j.state, 'progress', j.progress, 'problem', case when j.state = 'failed' then j.result end,
               'created_by', b.created_by, 'created_at', pos.rfc3339(b.created_at), 'finished_at', pos.rfc3339(j.finished_at))
           || case when whole then jsonb_build_object('result', b.result, 'run', b.run) else '{}' end
      from pos.job j where j.retailer_id = b.retailer_id and j.job_id = b.job_id
$$;

-- create_backtest: POST /v1/promotions/{id}/backtests
create or replace function api.create_backtest(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me    bigint := pos.current_retailer();
    old   pos.response := pos.replayed(request);
    b     jsonb := '{"stores": [], "channels": [], "book": "now", "sample": 10}'::jsonb || jsonb_strip_nulls(request -> 'body');
    the   pos.promotion;
    which int;
    made  text := pos.new_id('bkt');
    job   pos.job;
begin
    if old.status is not null then
        return old;
    end if;
    select * into the from pos.promotion p where p.retailer_id = me and p.promotion_id = request #>> '{path,id}';
    if the.promotion_id is null then
        perform pos.refuse_not_found('promotion', request #>> '{path,id}');
    end if;
    which := coalesce((b ->> 'version')::int, the.version);
    perform pos.refuse_fields(
        case when which > the.version then jsonb_build_array(pos.usage_fault('/version', 'unknown_version',
                                                format('the promotion has versions 1 to %s', the.version))) else '[]' end
        || case when (b ->> 'to')::date < (b ->> 'from')::date then jsonb_build_array(pos.usage_fault('/to', 'empty_window', 'it must not be before from')) else '[]' end
        || pos.unknown_codes('/stores', b -> 'stores', 'store', array(select s.code from pos.store s where s.retailer_id = me and b -> 'stores' ? s.code)));
    insert into pos.job (retailer_id, job_id, kind, state, params, created_by)
    values (me, pos.new_id('job'), 'backtest', 'queued', jsonb_build_object('backtest', made), request #>> '{actor,key_id}')
    returning * into job;
    insert into pos.backtest (retailer_id, backtest_id, promotion_id, version, params, job_id, created_by)
    values (me, made, the.promotion_id, which, b - 'version', job.job_id, job.created_by);
    perform pos.audited(request, 'create_backtest', 'backtest', made, null, b || jsonb_build_object('promotion', the.promotion_id, 'version', which));
    perform pg_notify('pos_job', job.job_id);
    return pos.remember(request, pos.answer(202, pos.job_resource(job) || jsonb_build_object('backtest', made),
                                            jsonb_build_object('Location', '/v1/jobs/' || job.job_id)));
end
$$;

-- list_backtests: GET /v1/promotions/{id}/backtests, newest first
create or replace function api.list_backtests(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    me bigint := pos.current_retailer();
begin
    if not exists (select from pos.promotion p where p.retailer_id = me and p.promotion_id = request #>> '{path,id}') then
        perform pos.refuse_not_found('promotion', request #>> '{path,id}');
    end if;
    return pos.answer_page(request, (
        select jsonb_agg(jsonb_build_object('key', t.backtest_id, 'doc', pos.backtest_resource(t, false)) order by t.backtest_id desc)
          from (select b.* from pos.backtest b
                 where b.retailer_id = me and b.promotion_id = request #>> '{path,id}'
                   and b.backtest_id < coalesce(nullif(pos.cursor_read(request), ''), 'bkt~')
                 order by b.backtest_id desc limit pos.page_limit(request) + 1) t));
end
$$;

-- get_backtest: GET /v1/promotions/{id}/backtests/{backtest}
create or replace function api.get_backtest(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select pos.backtest_resource(b, true) from pos.backtest b
          where b.retailer_id = pos.current_retailer() and b.backtest_id = request #>> '{path,backtest}'
            and b.promotion_id = request #>> '{path,id}'),
        'back-test', request #>> '{path,backtest}')
$$;

-- For posd, with the retailer set: what the job is to do. `row` is the version as the book
-- would have it, live in all of the range, and in every arm of its experiment. `orders` is
-- the statement that reads the orders, by time; it begins a day early and ends a day late,
-- since the days asked for are those of each store's own clock.
create or replace function pos.open_backtest(the_job text, out backtest text, out promotion text, out version int, out "row" text,
    out from_day int, out to_day int, out sample int, out rev bigint, out total bigint, out orders text)
language plpgsql stable set search_path = ''
as $$
declare
    me    bigint := pos.current_retailer();
    the   pos.backtest;
    picks text;
begin
    select b.* into strict the from pos.job j join pos.backtest b on b.retailer_id = j.retailer_id and b.backtest_id = j.params ->> 'backtest'
     where j.retailer_id = me and j.job_id = the_job;
    backtest := the.backtest_id;
    promotion := the.promotion_id;
    version := the.version;
    from_day := (the.params ->> 'from')::date - '1970-01-01'::date;
    to_day := (the.params ->> 'to')::date - '1970-01-01'::date;
    sample := (the.params ->> 'sample')::int;
    -- The null takes away what a script says itself.
    select (pos.promotion_row(v.document, v.summary, '{"from": null, "until": null}')::jsonb || '{"experiment": null}')::text into "row"
      from pos.promotion_version v where (v.retailer_id, v.promotion_id, v.version) = (me, the.promotion_id, the.version);
    select r.rev into rev from pos.revision r where r.retailer_id = me;
    picks := format('h.retailer_id = %s and h.ordered_at >= %L and h.ordered_at < %L', me,
                    (the.params ->> 'from')::date - interval '1 day', (the.params ->> 'to')::date + interval '2 days')
             || case when the.params -> 'stores' <> '[]' then format(' and h.store = any (%L::text[])', pos.texts(the.params -> 'stores')) else '' end
             || case when the.params -> 'channels' <> '[]' then format(' and h.channel = any (%L::text[])', pos.texts(the.params -> 'channels')) else '' end;
    execute 'select count(*) from pos.order_history h where ' || picks into total;
    orders := 'copy (select h.order_id, h.ordered_at, h.store, h.channel, h.customer, h.customer_groups, h.coupons, h.currency,'
              ' h.discount_amount, h.line_sku, h.line_quantity, h.line_price_amount, h.line_discount_amount,'
              ' h.line_cost_amount, h.session from pos.order_history h where ' || picks || ' order by h.ordered_at, h.order_id) to stdout (format binary)';
end
$$;

-- For posd, with the retailer set: the books that the orders of a back-test were sold by, where it
-- asks for those; each in force since `since` (microseconds since 1970) until the next. A revision's time
-- is its transaction's, so one that came later may say an earlier: it counts from its forerunner's.
create or replace function pos.backtest_books(the_job text) returns table (rev bigint, hash bytea, since bigint)
language sql stable set search_path = ''
as $$
    with the as (
        select b.params from pos.job j join pos.backtest b on b.retailer_id = j.retailer_id and b.backtest_id = j.params ->> 'backtest'
         where j.retailer_id = pos.current_retailer() and j.job_id = the_job and b.params ->> 'book' = 'then'
    ), past as (
        select l.rev, l.hash, max(l.at) over (order by l.rev) as at
          from pos.revision_log l, the where l.retailer_id = pos.current_retailer()
    )
    select p.rev, p.hash, (extract(epoch from p.at) * 1000000)::bigint
      from past p, the
     where p.at < (the.params ->> 'to')::date + interval '2 days'
       and p.rev >= (select coalesce(max(q.rev) filter (where q.at < (the.params ->> 'from')::date - interval '1 day'), min(q.rev)) from past q)
     order by p.rev
$$;

-- The zone in which that book's times without an offset are meant.
create or replace function pos.backtest_zone(at_rev bigint) returns text
language sql stable set search_path = ''
as $$
    select h.value::jsonb ->> 'timezone' from pos.book_history h
     where h.retailer_id = pos.current_retailer() and h.kind = 'retailer' and h.key = '' and h.rev <= at_rev
     order by h.rev desc limit 1
$$;

-- Every zone that the retailer's book ever named.
create or replace function pos.backtest_zones() returns setof text
language sql stable set search_path = ''
as $$
    select distinct h.value::jsonb ->> 'timezone' from pos.book_history h
     where h.retailer_id = pos.current_retailer() and h.kind in ('retailer', 'store') and h.value::jsonb ->> 'timezone' is not null
$$;

-- For posd, with the retailer set: the job is done. False: it is no longer this worker's.
create or replace function pos.finish_backtest(the_job text, the_lease bigint, the_result jsonb, the_run jsonb, summary jsonb) returns boolean
language plpgsql set search_path = ''
as $$
declare
    the text;
begin
    update pos.backtest b set result = the_result, run = the_run
      from pos.job j
     where b.retailer_id = pos.current_retailer() and j.retailer_id = b.retailer_id and j.job_id = b.job_id
       and j.job_id = the_job and j.lease = the_lease and j.state = 'running'
    returning b.backtest_id into the;
    if the is null or not pos.finish_job(the_job, the_lease, 'succeeded', summary || jsonb_build_object('backtest', the)) then
        if the is not null then
            perform pos.refuse('POS09', 'lease_lost', 'the job is no longer this worker''s');
        end if;
        return false;
    end if;
    return true;
end
$$;

reset role;
