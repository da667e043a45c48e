-- Experiments, from their put until they are stopped or an arm of theirs is shipped.

set local role pos_owner;

-- All there are: what the book shows, and what is over.
create or replace view pos.experiment_life with (security_invoker = true) as
    select x.retailer_id, x.code, x.document, x.started_at, null::timestamptz as ended_at, null::text as winner,
           null::text as reason, null::text as ended_by
      from pos.experiment x
    union all
    select e.retailer_id, e.code, e.document, e.started_at, e.ended_at, e.winner, e.reason, e.ended_by
      from pos.experiment_ended e
     where not exists (select from pos.experiment x where (x.retailer_id, x.code) = (e.retailer_id, e.code));

grant select on pos.experiment_life to pos_api, pos_daemon;

-- As the API shows it.
create or replace function pos.experiment_resource(x pos.experiment_life) returns jsonb
language sql stable set search_path = ''
as $$
    select case when x.code is not null then x.document || jsonb_build_object(
        'state', case when x.ended_at is null then 'running' else 'ended' end, 'started_at', pos.rfc3339(x.started_at),
        'ended_at', pos.rfc3339(x.ended_at), 'winner', x.winner, 'ended_reason', x.reason, 'ended_by', x.ended_by) end
$$;

create or replace function pos.experiment_shown(the text) returns jsonb
language sql stable set search_path = ''
as $$
    select pos.experiment_resource(x) from pos.experiment_life x
     where x.retailer_id = pos.current_retailer() and x.code = the
$$;

-- What decides who is in which arm, defaults said.
create or replace function pos.experiment_split(document jsonb) returns jsonb
language sql immutable strict parallel safe set search_path = ''
as $$
    select jsonb_build_object('unit', coalesce(document ->> 'unit', 'customer'),
        'arms', (select jsonb_agg(jsonb_build_array(a.v -> 'code', coalesce((a.v ->> 'weight')::bigint, 1)) order by a.i)
                   from jsonb_array_elements(document -> 'arms') with ordinality a(v, i)))
$$;

-- What keeps an experiment from being run, apart from its form: the engine would leave it out
-- of the book, and nobody would be in it.
create or replace function pos.arms_faults(arms jsonb) returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(jsonb_agg(pos.usage_fault(f.pointer, f.code, f.message) order by f.i), '[]')
      from (select a.i, '/arms/' || (a.i - 1) || '/code' as pointer, 'duplicate' as code, format('there is another arm %L', a.v ->> 'code') as message,
                   row_number() over (partition by a.v ->> 'code' order by a.i) as n
              from jsonb_array_elements(arms) with ordinality a(v, i)
            union all
            select 0, '/arms', 'min', 'some arm needs a weight above 0', 2
             where not exists (select from jsonb_array_elements(arms) a(v) where coalesce((a.v ->> 'weight')::bigint, 1) > 0)) f
     where f.n > 1
$$;

-- Has an order been part of it?
create or replace function pos.experiment_exposed(the text) returns boolean
language sql stable set search_path = ''
as $$ select exists (select from pos.exposure e where e.retailer_id = pos.current_retailer() and e.code = the) $$;

-- For imports: what their experiments, and orders of them, must not say, as the faults of
-- an import are.
create or replace function pos.experiment_faults() returns table (section text, ordinal int, field text, code text, message text)
language plpgsql stable set search_path = ''
as $$
begin
    return query
    select r.section, r.ordinal, '/code', 'illegal_state', format('the experiment %L is ended; another one needs another code', r.code)
      from pg_temp.import_row r
      join pos.experiment_ended e on e.retailer_id = pos.current_retailer() and e.code = r.code
     where r.section = 'experiments' and r.ordinal >= 0
    union all
    select r.section, r.ordinal, '/arms', 'in_use',
           format('orders are of arms of %L already: its arms, weights and unit stay as they are', r.code)
      from pg_temp.import_row r
      join pos.experiment x on x.retailer_id = pos.current_retailer() and x.code = r.code
     where r.section = 'experiments' and r.ordinal >= 0
       and pos.experiment_split(x.document) <> pos.experiment_split(r.value) and pos.experiment_exposed(r.code)
    union all
    select r.section, r.ordinal, f.v ->> 'pointer', f.v ->> 'code', f.v ->> 'message'
      from pg_temp.import_row r
     cross join lateral jsonb_array_elements(pos.arms_faults(r.value -> 'arms')) f(v)
     where r.section = 'experiments' and r.ordinal >= 0
    union all
    select 'orders', d.ordinal, '/experiments/' || (d.i - 1) || '/code', 'duplicate', format('the order is in an arm of %L already', d.code)
      from (select r.ordinal, e.i, e.v ->> 'code' as code, row_number() over (partition by r.ordinal, e.v ->> 'code' order by e.i) as n
              from pg_temp.import_row r
             cross join lateral jsonb_array_elements(r.value -> 'experiments') with ordinality e(v, i)
             where r.section = 'orders' and r.ordinal >= 0 and jsonb_typeof(r.value -> 'experiments') = 'array') d
     where d.n > 1;
end
$$;

-- For imports: what orders were part of and the import leaves out is ended by it.
create or replace function pos.import_end_experiments(the_job text) returns void
language plpgsql set search_path = ''
as $$
begin
    if pos.imports('experiments') then
        insert into pos.experiment_ended (retailer_id, code, document, started_at, reason)
        select x.retailer_id, x.code, x.document, x.started_at, 'import ' || the_job
          from pos.experiment x
         where x.retailer_id = pos.current_retailer() and pos.experiment_exposed(x.code)
           and not exists (select from pg_temp.import_row r where r.section = 'experiments' and r.ordinal >= 0 and r.code = x.code);
    end if;
end
$$;

-- list_experiments: GET /v1/experiments
create or replace function api.list_experiments(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.code, 'doc', pos.experiment_resource(t)) order by t.code))
      from (select x.* from pos.experiment_life x
             where x.retailer_id = pos.current_retailer() and x.code > pos.cursor_read(request)
               and (request #>> '{query,state}' is null or (x.ended_at is null) = (request #>> '{query,state}' = 'running'))
             order by x.code limit pos.page_limit(request) + 1) t
$$;

-- get_experiment: GET /v1/experiments/{code}
create or replace function api.get_experiment(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request, pos.experiment_shown(request #>> '{path,code}'), 'experiment', request #>> '{path,code}')
$$;

-- A promotion of it that the book shows, in none of these arms: nobody would get it.
create or replace function pos.experiment_uses(the text, arms jsonb) returns text
language sql stable set search_path = ''
as $$
    select p.promotion_id
      from pos.promotion p
      join pos.promotion_version v on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)
     where p.retailer_id = pos.current_retailer() and p.state in ('active', 'scheduled') and v.summary #>> '{experiment,code}' = the
       and not exists (select from jsonb_array_elements(arms) a where a -> 'code' = v.summary #> '{experiment,arm}')
     order by p.promotion_id limit 1
$$;

-- Refuses what would move customers from one arm into another while orders are counted by
-- them, a second life under a name that has results, and that an arm goes which a live promotion
-- is of. The book is locked.
create or replace function pos.experiment_may_become(the text, was jsonb, document jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
    if exists (select from pos.experiment_ended e where e.retailer_id = pos.current_retailer() and e.code = the) then
        perform pos.refuse_state('experiment', 'ended', '{}');
    end if;
    perform pos.refuse_fields(pos.arms_faults(document -> 'arms'));
    if pos.experiment_split(was) <> pos.experiment_split(document) and pos.experiment_exposed(the) then
        perform pos.refuse('POS09', 'in_use', 'orders are of its arms already: its arms, weights and unit stay as they are; '
            || 'stop it, and begin another under another code');
    end if;
    if pos.experiment_uses(the, document -> 'arms') is not null then
        perform pos.refuse_in_use('arm', format('the promotion %L: nobody would get it', pos.experiment_uses(the, document -> 'arms')));
    end if;
end
$$;

-- put_experiment: PUT /v1/experiments/{code}
create or replace function api.put_experiment(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    was    jsonb;
    before jsonb;
    after  jsonb := pos.body_named(request, 'code');
begin
    perform pos.lock_book();
    before := pos.experiment_shown(the);
    perform pos.check_match(request, before);
    select x.document into was from pos.experiment x where x.retailer_id = me and x.code = the for update;
    perform pos.experiment_may_become(the, was, after);
    insert into pos.experiment as x (retailer_id, code, document) values (me, the, after)
        on conflict (retailer_id, code) do update set document = excluded.document where x.document <> excluded.document;
    return pos.book_put(request, 'put_experiment', 'experiment', the, jsonb_build_array(jsonb_build_array('experiment', the)),
                        before, pos.experiment_shown(the), '/v1/experiments/' || pos.url_encode(the));
end
$$;

-- delete_experiment: DELETE /v1/experiments/{code}
create or replace function api.delete_experiment(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    before jsonb;
begin
    perform pos.lock_book();
    before := pos.experiment_shown(the);
    if before is null then
        perform pos.refuse_not_found('experiment', the);
    end if;
    perform pos.check_match(request, before);
    if pos.experiment_exposed(the) then
        perform pos.refuse_in_use('experiment', 'orders; stop it instead');
    end if;
    if pos.experiment_uses(the, '[]') is not null then
        perform pos.refuse_in_use('experiment', format('the promotion %L, which nobody would get: stop it instead', pos.experiment_uses(the, '[]')));
    end if;
    delete from pos.experiment_ended e where e.retailer_id = me and e.code = the;
    delete from pos.experiment x where x.retailer_id = me and x.code = the;
    if found then
        return pos.book_put(request, 'delete_experiment', 'experiment', the, jsonb_build_array(jsonb_build_array('experiment', the)),
                            before, null);
    end if;
    perform pos.audited(request, 'delete_experiment', 'experiment', the, before, null);
    return pos.answer(204, null, jsonb_build_object('Pos-Revision', pos.revision_name()));
end
$$;

-- The experiment of the path, to be ended: the book and it are locked; 404, 412 or 409
-- where it must be.
create or replace function pos.experiment_to_end(request jsonb) returns pos.experiment
language plpgsql set search_path = ''
as $$
declare
    the   text := request #>> '{path,code}';
    shown jsonb;
    x     pos.experiment;
begin
    perform pos.lock_book();
    select * into x from pos.experiment e where e.retailer_id = pos.current_retailer() and e.code = the for update;
    shown := pos.experiment_shown(the);
    if shown is null then
        perform pos.refuse_not_found('experiment', the);
    end if;
    perform pos.check_match(request, shown);
    if x.code is null then
        perform pos.refuse_state('experiment', 'ended', '{}');
    end if;
    return x;
end
$$;

-- The promotions that the book shows in an arm of it, locked, by their ids.
create or replace function pos.experiment_promotions(the text) returns setof pos.promotion
language sql volatile set search_path = ''
as $$
    select p.* from pos.promotion p
      join pos.promotion_version v on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)
     where p.retailer_id = pos.current_retailer() and p.state in ('active', 'scheduled') and v.summary #>> '{experiment,code}' = the
     order by p.promotion_id for update of p
$$;

-- Moves a locked promotion on with its experiment: audit and event; the revision is the
-- experiment's.
create or replace function pos.experiment_moves(request jsonb, operation text, the pos.promotion, event text, reason text) returns void
language plpgsql set search_path = ''
as $$
declare
    was pos.promotion;
begin
    select * into strict was from pos.promotion p where (p.retailer_id, p.promotion_id) = (the.retailer_id, the.promotion_id);
    update pos.promotion p
       set state = the.state, published_version = the.published_version, suspended_reason = the.suspended_reason, updated_at = now()
     where (p.retailer_id, p.promotion_id) = (the.retailer_id, the.promotion_id) returning * into the;
    perform pos.audited(request, operation, 'promotion', the.promotion_id, pos.promotion_resource(was), pos.promotion_resource(the));
    perform pos.emit(event, 'promotion/' || the.promotion_id, jsonb_strip_nulls(jsonb_build_object(
        'id', the.promotion_id, 'state', the.state, 'version', the.published_version, 'reason', reason)));
end
$$;

-- The version of a promotion that is what is published of it, but for everybody: its newest,
-- where that says the same, so that it may have been approved; else a new one. A script's
-- own `experiment` is taken away by the null beside it.
create or replace function pos.version_for_all(request jsonb, the pos.promotion, reason text) returns int
language plpgsql set search_path = ''
as $$
declare
    live   pos.promotion_version;
    newest pos.promotion_version;
begin
    select * into strict live from pos.promotion_version v
     where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, the.published_version);
    select * into strict newest from pos.promotion_version v
     where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, the.version);
    if nullif(newest.summary -> 'experiment', 'null') is null and newest.script is not distinct from live.script
       and newest.summary - 'experiment' = live.summary - 'experiment' then
        return newest.version;
    end if;
    return pos.new_version(the.promotion_id,
        live.document - 'experiment' || case when live.script is null then '{}' else '{"experiment": null}'::jsonb end,
        live.summary - 'experiment', live.script, request #>> '{actor,key_id}', reason);
end
$$;

-- Publishes the promotions of an arm for everybody: [{"id", "version"}]. What keeps any of
-- them from it refuses all: an approval that is lacking, what the tables find against it,
-- a warning that nobody acknowledged for it.
create or replace function pos.ship_promotions(request jsonb, the_promotions pos.promotion[], reason text) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    p        pos.promotion;
    now_is   pos.promotion;
    summary  jsonb;
    found_of jsonb;
    warned   text[];
    missing  text;
    lacking  jsonb := '[]';
    findings jsonb := '[]';
    open     text[] := '{}';
    shipped  jsonb := '[]';
begin
    foreach p in array the_promotions loop
        now_is := p;
        now_is.published_version := pos.version_for_all(request, p, reason);
        now_is.state := 'active';
        select v.summary into strict summary from pos.promotion_version v
         where (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, now_is.published_version);
        missing := pos.approval_missing(p, now_is.published_version, p.schedule);
        if missing is not null then
            lacking := lacking || jsonb_build_object('promotion', p.promotion_id, 'detail', missing);
        end if;
        select coalesce(jsonb_agg(f || jsonb_build_object('promotion', p.promotion_id)), '[]'),
               array(select distinct w ->> 'code' from jsonb_array_elements(pos.promotion_findings(p, summary, p.schedule)) w
                      where w ->> 'severity' = 'warning' order by 1)
          into found_of, warned from jsonb_array_elements(pos.promotion_findings(p, summary, p.schedule)) f;
        findings := findings || found_of;
        open := open || array(select w from unnest(warned) w
                               where not coalesce(request #> '{body,acknowledge}', '[]') ? w
                                 and not exists (select from pos.promotion_publication b
                                                  where (b.retailer_id, b.promotion_id, b.version)
                                                      = (p.retailer_id, p.promotion_id, p.published_version) and w = any (b.acknowledged)));
        perform pos.publication_kept(now_is, warned, request #>> '{actor,key_id}', reason);
        perform pos.experiment_moves(request, 'ship_experiment', now_is, 'promotion.published', reason);
        shipped := shipped || jsonb_build_object('id', p.promotion_id, 'version', now_is.published_version);
    end loop;
    if lacking <> '[]' then
        perform pos.refuse('POS09', 'approval_required', format('%s would be given to everybody, which nobody approved yet: put a version '
            || 'without the experiment, have it approved, and ship it then', (select string_agg(quote_literal(l ->> 'promotion'), ', ')
            from jsonb_array_elements(lacking) l)), null, null, jsonb_build_object('promotions', lacking));
    end if;
    if exists (select from jsonb_array_elements(findings) f where f ->> 'severity' = 'error') then
        perform pos.refuse('POS00', 'checks_failed', (select f ->> 'message' from jsonb_array_elements(findings) f
            where f ->> 'severity' = 'error' limit 1), null, null, jsonb_build_object('findings', findings));
    end if;
    if cardinality(open) > 0 then
        open := array(select distinct w from unnest(open) w order by w);
        perform pos.refuse('POS09', 'not_acknowledged',
            format('there are warnings: ship it with "acknowledge": %s if it is meant so', to_jsonb(open)), null, null,
            jsonb_build_object('acknowledge', to_jsonb(open), 'findings', findings));
    end if;
    return shipped;
end
$$;

-- Ends a locked experiment: what is left of it in the book goes, its row and its
-- promotions' in one revision.
create or replace function pos.end_experiment(request jsonb, operation text, x pos.experiment, the_winner text, event text,
    shipped jsonb, suspended text[], the_reason text) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    before jsonb := pos.experiment_shown(x.code);
    after  jsonb;
begin
    delete from pos.experiment e where (e.retailer_id, e.code) = (x.retailer_id, x.code);
    insert into pos.experiment_ended (retailer_id, code, document, started_at, winner, reason, ended_by)
    values (x.retailer_id, x.code, x.document, x.started_at, the_winner, request #>> '{body,reason}', request #>> '{actor,key_id}');
    after := pos.experiment_shown(x.code);
    perform pos.audited(request, operation, 'experiment', x.code, before, after);
    perform pos.emit(event, 'experiment/' || x.code, jsonb_strip_nulls(jsonb_build_object('code', x.code, 'winner', the_winner,
        'published', shipped, 'suspended', to_jsonb(suspended), 'reason', request #>> '{body,reason}')));
    perform pos.book_changed(jsonb_build_array(jsonb_build_array('experiment', x.code))
        || coalesce((select jsonb_agg(jsonb_build_array('promotion', p -> 'id')) from jsonb_array_elements(shipped) p), '[]')
        || coalesce((select jsonb_agg(jsonb_build_array('promotion', p)) from unnest(suspended) p), '[]'));
    return pos.answer(200, after || jsonb_build_object('published', shipped, 'suspended', to_jsonb(suspended)),
                      jsonb_build_object('ETag', pos.etag(after), 'Pos-Revision', pos.revision_name()));
end
$$;

-- Takes promotions of an experiment out of the book; gives their ids.
create or replace function pos.suspend_arms(request jsonb, operation text, the_promotions pos.promotion[], reason text) returns text[]
language plpgsql set search_path = ''
as $$
declare
    p    pos.promotion;
    gone text[] := '{}';
begin
    foreach p in array the_promotions loop
        p.state := 'suspended';
        p.suspended_reason := reason;
        perform pos.experiment_moves(request, operation, p, 'promotion.suspended', reason);
        gone := gone || p.promotion_id;
    end loop;
    return gone;
end
$$;

-- stop_experiment: POST /v1/experiments/{code}/stop
create or replace function api.stop_experiment(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old pos.response := pos.replayed(request);
    x   pos.experiment;
    why text;
begin
    if old.status is not null then
        return old;
    end if;
    x := pos.experiment_to_end(request);
    why := concat_ws(': ', format('the experiment %s was stopped', x.code), request #>> '{body,reason}');
    return pos.remember(request, pos.end_experiment(request, 'stop_experiment', x, null, 'experiment.stopped', '[]',
        pos.suspend_arms(request, 'stop_experiment', array(select p from pos.experiment_promotions(x.code) p), why), why));
end
$$;

-- ship_experiment: POST /v1/experiments/{code}/ship. What is over by its times is not
-- given to anybody: it is suspended with the other arms.
create or replace function api.ship_experiment(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old    pos.response := pos.replayed(request);
    arm    text := request #>> '{body,arm}';
    x      pos.experiment;
    why    text;
    mine   pos.promotion[];
    others pos.promotion[];
    sent   jsonb;
begin
    if old.status is not null then
        return old;
    end if;
    x := pos.experiment_to_end(request);
    if not exists (select from jsonb_array_elements(x.document -> 'arms') a where a ->> 'code' = arm) then
        perform pos.refuse_field('/arm', 'unknown_arm', format('the experiment %L has no arm %L', x.code, arm));
    end if;
    why := concat_ws(': ', format('the experiment %s shipped its arm %s', x.code, arm), request #>> '{body,reason}');
    select coalesce(array_agg(p order by p.promotion_id) filter (where s.ships), '{}'),
           coalesce(array_agg(p order by p.promotion_id) filter (where not s.ships), '{}')
      into mine, others
      from pos.experiment_promotions(x.code) p
      join pos.promotion_version v on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)
     cross join lateral (select v.summary #>> '{experiment,arm}' = arm
                                and pos.promotion_state(p.state, v.summary, p.schedule) <> 'ended' as ships) s;
    sent := pos.ship_promotions(request, mine, why);
    return pos.remember(request, pos.end_experiment(request, 'ship_experiment', x, arm, 'experiment.shipped', sent,
        pos.suspend_arms(request, 'ship_experiment', others, why), why));
end
$$;

reset role;
