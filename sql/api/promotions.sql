-- Promotions and their versions.

set local role pos_owner;

drop function if exists pos.promotion_state(text, jsonb);

-- The state as of now: what is active may be yet to start, or over.
create or replace function pos.promotion_state(state text, document jsonb, schedule jsonb) returns text
language sql stable set search_path = ''
as $$
    select case when state not in ('active', 'scheduled', 'ended') then state
                when pos.instant(a.active ->> 'until', r.timezone) <= now() then 'ended'
                when pos.instant(a.active ->> 'from', r.timezone) > now() then 'scheduled'
                else 'active' end
      from pos.retailer r, (select pos.promotion_active(document, schedule) as active) a
     where r.retailer_id = pos.current_retailer()
$$;

-- The steps that are possible from a state (docs/promotion-life.md has the table);
-- `review` is how the review of the newest version stands, null: it has none.
create or replace function pos.promotion_steps(state text, review text) returns text[]
language sql immutable parallel safe set search_path = ''
as $$
    select case when state = 'archived' then '{put,archive}'::text[]
           else array_remove('{put}'::text[]
             || case when review = 'requested' then '{approve,reject}'::text[]
                     when review = 'approved' then '{reject}' else '{submit}' end
             || '{publish}'
             || case when state in ('scheduled', 'active', 'ended', 'suspended') then '{suspend}'::text[] else '{}' end
             || '{archive}', null) end
$$;

-- Does this document need an approval before it is published? What it may cost is
-- known where a limit caps its amount in all; a day's cap is none over the years.
create or replace function pos.promotion_needs_approval(document jsonb) returns boolean
language sql stable set search_path = ''
as $$
    select case coalesce(r.document ->> 'promotion_approval', 'never')
             when 'never' then false
             when 'always' then true
             else coalesce((select min((l ->> 'max')::numeric)
                              from jsonb_array_elements(case jsonb_typeof(promotion_needs_approval.document -> 'limits')
                                       when 'array' then promotion_needs_approval.document -> 'limits' else '[]' end) l
                             where l ->> 'of' = 'amount' and coalesce(l ->> 'per', 'all') = 'all' and l ->> 'window' is null)
                           > coalesce((r.document ->> 'promotion_budget')::numeric, 0), true) end
      from pos.retailer r where r.retailer_id = pos.current_retailer()
$$;

-- A review as the API shows it.
create or replace function pos.review_resource(r pos.promotion_review) returns jsonb
language sql stable set search_path = ''
as $$
    select case when r.version is not null then jsonb_build_object('version', r.version, 'state', r.state,
        'submitted_by', r.submitted_by, 'submitted_at', pos.rfc3339(r.submitted_at), 'note', r.note,
        'decided_by', r.decided_by, 'decided_at', pos.rfc3339(r.decided_at), 'reason', r.reason) end
$$;

drop function if exists pos.version_resource(pos.promotion_version, int);

-- A version as the API shows it.
create or replace function pos.version_resource(v pos.promotion_version, p pos.promotion) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('version', v.version, 'published', v.version = p.published_version is true, 'document', v.summary,
        'script', v.script, 'author', v.author, 'reason', v.reason, 'created_at', pos.rfc3339(v.created_at),
        'needs_approval', pos.promotion_needs_approval(v.summary),
        'review', (select pos.review_resource(r) from pos.promotion_review r
                    where (r.retailer_id, r.promotion_id, r.version) = (v.retailer_id, v.promotion_id, v.version)),
        'publications', (select coalesce(jsonb_agg(jsonb_build_object('at', pos.rfc3339(b.at), 'by', b.published_by, 'reason', b.reason,
                                'from', b.schedule -> 'from', 'until', b.schedule -> 'until', 'acknowledged', to_jsonb(b.acknowledged))
                                order by b.ordinal desc), '[]')
                           from (select * from pos.promotion_publication x
                                  where (x.retailer_id, x.promotion_id, x.version) = (v.retailer_id, v.promotion_id, v.version)
                                  order by x.ordinal desc limit 20) b))
$$;

-- A promotion as the API shows it: its newest version, and which is published.
create or replace function pos.promotion_resource(p pos.promotion) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', p.promotion_id,
        'state', t.state, 'steps', to_jsonb(pos.promotion_steps(t.state, r.state)),
        'version', p.version, 'published_version', p.published_version, 'suspended_reason', p.suspended_reason,
        'schedule', p.schedule, 'needs_approval', pos.promotion_needs_approval(v.summary), 'review', pos.review_resource(r),
        'document', v.summary, 'script', v.script, 'created_at', pos.rfc3339(p.created_at), 'updated_at', pos.rfc3339(p.updated_at))
      from pos.promotion_version v
      left join pos.promotion_version live on live.retailer_id = p.retailer_id and live.promotion_id = p.promotion_id
                                          and live.version = p.published_version
      left join pos.promotion_review r on (r.retailer_id, r.promotion_id, r.version) = (v.retailer_id, v.promotion_id, v.version)
      cross join lateral (select pos.promotion_state(p.state, coalesce(live.summary, v.summary), p.schedule)) t(state)
     where v.retailer_id = p.retailer_id and v.promotion_id = p.promotion_id and v.version = p.version
$$;

-- Refuses a step that is not possible from where the promotion is.
create or replace function pos.promotion_may(the pos.promotion, step text) returns void
language plpgsql stable set search_path = ''
as $$
declare
    shown jsonb := pos.promotion_resource(the);
begin
    if not shown -> 'steps' ? step then
        perform pos.refuse_state('promotion', shown ->> 'state', array(select jsonb_array_elements_text(shown -> 'steps')));
    end if;
end
$$;

-- The promotion of the path, for a step that the book may show: the book and it
-- are locked; 404 or 412 where it must be.
create or replace function pos.promotion_for_change(request jsonb) returns pos.promotion
language plpgsql set search_path = ''
as $$
declare
    the pos.promotion;
begin
    perform pos.lock_book();
    select * into the from pos.promotion p
     where p.retailer_id = pos.current_retailer() and p.promotion_id = request #>> '{path,id}' for update;
    if the.promotion_id is null then
        perform pos.refuse_not_found('promotion', request #>> '{path,id}');
    end if;
    perform pos.check_match(request, pos.promotion_resource(the));
    return the;
end
$$;

-- Moves a locked promotion on; audit, event and, where the book shows it, the
-- revision. `reason` says why.
create or replace function pos.promotion_step(request jsonb, operation text, the pos.promotion, event text, reason text)
returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    was    pos.promotion;
    before jsonb;
    after  jsonb;
begin
    select * into was from pos.promotion p where p.retailer_id = me and p.promotion_id = the.promotion_id;
    before := pos.promotion_resource(was);
    update pos.promotion p
       set state = the.state, published_version = the.published_version, suspended_reason = the.suspended_reason,
           schedule = the.schedule, updated_at = now()
     where p.retailer_id = me and p.promotion_id = the.promotion_id
       and (p.state, p.published_version, p.suspended_reason, p.schedule)
           is distinct from (the.state, the.published_version, the.suspended_reason, the.schedule)
    returning * into the;
    if found then
        after := pos.promotion_resource(the);
        perform pos.audited(request, operation, 'promotion', the.promotion_id, before, after);
        perform pos.emit(event, 'promotion/' || the.promotion_id, jsonb_strip_nulls(jsonb_build_object(
            'id', the.promotion_id, 'state', the.state, 'version', the.published_version, 'reason', reason)));
        perform pos.book_changed(jsonb_build_array(jsonb_build_array('promotion', was.promotion_id)));
    end if;
    after := coalesce(after, before);
    return pos.answer(200, after, jsonb_build_object('ETag', pos.etag(after), 'Pos-Revision', pos.revision_name()));
end
$$;

-- list_promotions: GET /v1/promotions
create or replace function api.list_promotions(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request,
               jsonb_agg(jsonb_build_object('key', t.promotion_id, 'doc', pos.promotion_resource(t)) order by t.promotion_id))
      from (select p.* from pos.promotion p
              join pos.promotion_version v on (v.retailer_id, v.promotion_id, v.version)
                 = (p.retailer_id, p.promotion_id, coalesce(p.published_version, p.version))
             where p.retailer_id = pos.current_retailer() and p.promotion_id > pos.cursor_read(request)
               and case when request #>> '{query,state}' is null then p.state <> 'archived'
                        else pos.promotion_state(p.state, v.summary, p.schedule) = request #>> '{query,state}' end
             order by p.promotion_id limit pos.page_limit(request) + 1) t
$$;

-- get_promotion: GET /v1/promotions/{id}
create or replace function api.get_promotion(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select pos.promotion_resource(p) from pos.promotion p
          where p.retailer_id = pos.current_retailer() and p.promotion_id = request #>> '{path,id}'),
        'promotion', request #>> '{path,id}')
$$;

-- list_promotion_versions: GET /v1/promotions/{id}/versions, newest first
create or replace function api.list_promotion_versions(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    me  bigint := pos.current_retailer();
    the pos.promotion;
    top int;
begin
    select * into the from pos.promotion p where p.retailer_id = me and p.promotion_id = request #>> '{path,id}';
    if the.promotion_id is null then
        perform pos.refuse_not_found('promotion', request #>> '{path,id}');
    end if;
    top := coalesce(nullif(pos.cursor_read(request), '')::int, the.version + 1);
    return (select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.version::text,
                'doc', pos.version_resource(t, the)) order by t.version desc))
              from (select v.* from pos.promotion_version v
                     where v.retailer_id = me and v.promotion_id = the.promotion_id and v.version < top
                     order by v.version desc limit pos.page_limit(request) + 1) t);
end
$$;

-- get_promotion_version: GET /v1/promotions/{id}/versions/{version}
create or replace function api.get_promotion_version(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select pos.version_resource(v, p)
           from pos.promotion p join pos.promotion_version v using (retailer_id, promotion_id)
          where p.retailer_id = pos.current_retailer() and p.promotion_id = request #>> '{path,id}'
            and v.version = (request #>> '{path,version}')::int),
        'promotion version', (request #>> '{path,id}') || ' ' || (request #>> '{path,version}'))
$$;

-- A new version on top; the promotion is made where there is none. Gives the
-- version's number.
create or replace function pos.new_version(the text, document jsonb, summary jsonb, script text, author text, reason text)
returns int
language plpgsql set search_path = ''
as $$
declare
    me bigint := pos.current_retailer();
    n  int;
begin
    insert into pos.promotion as p (retailer_id, promotion_id, state, version) values (me, the, 'draft', 1)
        on conflict (retailer_id, promotion_id) do update
        set version = p.version + 1, updated_at = now(),
            state = case when p.state in ('archived', 'in_review') then 'draft' else p.state end,
            schedule = case p.state when 'archived' then null else p.schedule end,
            published_version = case p.state when 'archived' then null else p.published_version end
        returning p.version into n;
    insert into pos.promotion_version (retailer_id, promotion_id, version, document, summary, script, author, reason)
    values (me, the, n, document, summary, script, author, reason);
    return n;
end
$$;

-- put_promotion: PUT /v1/promotions/{id}. What nginx compiled is in `prepared`:
-- the documents the body came to, and the source where it is a script. The book
-- shows nothing of it yet: it locks its promotion only, and never the book.
create or replace function api.put_promotion(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me       bigint := pos.current_retailer();
    the      text := request #>> '{path,id}';
    made     jsonb := request #> '{prepared,documents}';
    source   text := request #>> '{prepared,source}';
    document jsonb;
    was      pos.promotion;
    now_is   pos.promotion;
    before   jsonb;
    after    jsonb;
begin
    if jsonb_array_length(made) is distinct from 1 then
        perform pos.refuse_field('', 'one_promotion', 'one promotion is put at a time; the body has ' || jsonb_array_length(made));
    end if;
    if made #>> '{0,id}' is distinct from the then
        perform pos.refuse_field('/id', 'mismatch', format('the id is %L in the body and %L in the path', made #>> '{0,id}', the));
    end if;
    document := case jsonb_typeof(request -> 'body') when 'object' then request -> 'body'
                else jsonb_build_object('id', the, 'script', source) end;
    select * into was from pos.promotion p where p.retailer_id = me and p.promotion_id = the for update;
    before := pos.promotion_resource(was);
    perform pos.check_match(request, before);
    if pos.new_version(the, document, made -> 0, source, request #>> '{actor,key_id}', request #>> '{query,reason}') > 1
       and before is null then
        -- Another session made it meanwhile: done again, this one finds it.
        raise exception using errcode = 'serialization_failure', message = 'the promotion was made by another session';
    end if;
    select * into strict now_is from pos.promotion p where p.retailer_id = me and p.promotion_id = the;
    after := pos.promotion_resource(now_is);
    perform pos.audited(request, 'put_promotion', 'promotion', the, before, after);
    perform pos.emit('promotion.version_created', 'promotion/' || the,
        jsonb_build_object('id', the, 'state', now_is.state, 'version', now_is.version));
    return pos.answer(case when before is null then 201 else 200 end, after, jsonb_build_object('ETag', pos.etag(after))
        || case when before is null then jsonb_build_object('Location', '/v1/promotions/' || pos.url_encode(the)) else '{}' end);
end
$$;

-- The promotion of the path for a step of its review, which no book shows: it alone
-- is locked. 404 or 412 where it must be; 409 where the step is not possible.
create or replace function pos.promotion_for_review(request jsonb, step text) returns pos.promotion
language plpgsql set search_path = ''
as $$
declare
    the pos.promotion;
begin
    select * into the from pos.promotion p
     where p.retailer_id = pos.current_retailer() and p.promotion_id = request #>> '{path,id}' for update;
    if the.promotion_id is null then
        perform pos.refuse_not_found('promotion', request #>> '{path,id}');
    end if;
    perform pos.check_match(request, pos.promotion_resource(the));
    perform pos.promotion_may(the, step);
    return the;
end
$$;

-- A step of the newest version's review: what it makes of the review and of the state
-- of what never was published; audit and event.
create or replace function pos.review_step(request jsonb, operation text, the pos.promotion, before jsonb, new_state text, event text)
returns pos.response
language plpgsql set search_path = ''
as $$
declare
    after jsonb;
begin
    update pos.promotion p
       set state = case when p.state in ('draft', 'in_review') then new_state else p.state end, updated_at = now()
     where p.retailer_id = the.retailer_id and p.promotion_id = the.promotion_id returning * into the;
    after := pos.promotion_resource(the);
    perform pos.audited(request, operation, 'promotion', the.promotion_id, before, after);
    perform pos.emit(event, 'promotion/' || the.promotion_id, jsonb_strip_nulls(jsonb_build_object(
        'id', the.promotion_id, 'state', after ->> 'state', 'version', the.version, 'by', request #>> '{actor,key_id}',
        'reason', request #>> '{body,reason}')));
    return pos.answer(200, after, jsonb_build_object('ETag', pos.etag(after)));
end
$$;

-- submit_promotion: POST /v1/promotions/{id}/submit. Asks for a review of the newest
-- version; one that was rejected may be asked for again.
create or replace function api.submit_promotion(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old    pos.response := pos.replayed(request);
    the    pos.promotion;
    before jsonb;
begin
    if old.status is not null then
        return old;
    end if;
    the := pos.promotion_for_review(request, 'submit');
    before := pos.promotion_resource(the);
    insert into pos.promotion_review as r (retailer_id, promotion_id, version, state, submitted_by, note)
    values (the.retailer_id, the.promotion_id, the.version, 'requested', request #>> '{actor,key_id}', request #>> '{body,reason}')
        on conflict (retailer_id, promotion_id, version) do update
        set state = 'requested', submitted_by = excluded.submitted_by, submitted_at = now(), note = excluded.note,
            decided_by = null, decided_at = null, reason = null;
    return pos.remember(request, pos.review_step(request, 'submit_promotion', the, before, 'in_review', 'promotion.submitted'));
end
$$;

-- The decision on the newest version, by a key that neither wrote nor submitted it.
create or replace function pos.decide_review(request jsonb, operation text, step text, decided text, new_state text, event text)
returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old    pos.response := pos.replayed(request);
    me     text := request #>> '{actor,key_id}';
    n      int := (request #>> '{body,version}')::int;
    the    pos.promotion;
    before jsonb;
begin
    if old.status is not null then
        return old;
    end if;
    the := pos.promotion_for_review(request, step);
    before := pos.promotion_resource(the);
    if n is distinct from null and n <> the.version then
        perform pos.refuse('POS09', 'other_version',
            format('the review is of version %s, the newest; version %s is not under review', the.version, n));
    end if;
    if me is null or exists (select from pos.promotion_version v
                  where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, the.version) and v.author = me)
       or exists (select from pos.promotion_review r
                   where (r.retailer_id, r.promotion_id, r.version) = (the.retailer_id, the.promotion_id, the.version)
                     and r.submitted_by = me) then
        perform pos.refuse('POS03', 'own_work', 'a version is judged by another key than those that wrote and submitted it');
    end if;
    update pos.promotion_review r
       set state = decided, decided_by = me, decided_at = now(), reason = request #>> '{body,reason}'
     where (r.retailer_id, r.promotion_id, r.version) = (the.retailer_id, the.promotion_id, the.version);
    return pos.remember(request, pos.review_step(request, operation, the, before, new_state, event));
end
$$;

-- approve_promotion: POST /v1/promotions/{id}/approve
create or replace function api.approve_promotion(request jsonb) returns pos.response
language sql set search_path = ''
as $$ select pos.decide_review(request, 'approve_promotion', 'approve', 'approved', 'in_review', 'promotion.approved') $$;

-- reject_promotion: POST /v1/promotions/{id}/reject. Takes an approval back, too.
create or replace function api.reject_promotion(request jsonb) returns pos.response
language sql set search_path = ''
as $$ select pos.decide_review(request, 'reject_promotion', 'reject', 'rejected', 'draft', 'promotion.rejected') $$;

-- May this version be published as far as approvals go? One that was live before may
-- be at any time: going back must not wait for anybody.
create or replace function pos.promotion_approved(the pos.promotion, version int) returns boolean
language sql stable set search_path = ''
as $$
    select not pos.promotion_needs_approval(v.summary)
        or exists (select from pos.promotion_review r
                    where (r.retailer_id, r.promotion_id, r.version) = (v.retailer_id, v.promotion_id, v.version)
                      and r.state = 'approved')
        or exists (select from pos.promotion_publication b
                    where (b.retailer_id, b.promotion_id, b.version) = (v.retailer_id, v.promotion_id, v.version))
      from pos.promotion_version v
     where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, promotion_approved.version)
$$;

-- The times a publication's body gives, over those of the document; null: none.
create or replace function pos.schedule_of(body jsonb) returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    select nullif(jsonb_strip_nulls(jsonb_build_object('from', body -> 'from', 'until', body -> 'until')), '{}')
$$;

-- Refuses times that no till can keep.
create or replace function pos.check_schedule(document jsonb, schedule jsonb) returns void
language plpgsql stable set search_path = ''
as $$
declare
    active jsonb := pos.promotion_active(document, schedule);
    zone   text := (select r.timezone from pos.retailer r where r.retailer_id = pos.current_retailer());
begin
    if schedule is not null and pos.instant(active ->> 'from', zone) >= pos.instant(active ->> 'until', zone) then
        perform pos.refuse_field(case when schedule ? 'until' then '/until' else '/from' end, 'empty_window',
                                 'it would end before it begins');
    end if;
end
$$;

-- What was found may keep it from being published: errors always, warnings until each
-- code is acknowledged, now or when this very version was published before. Gives the
-- warnings' codes.
create or replace function pos.judge_findings(the pos.promotion, version int, findings jsonb, acknowledge jsonb) returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    errors   jsonb := (select jsonb_agg(jsonb_build_object('pointer', coalesce(f.v ->> 'pointer', ''),
                                                           'message', f.v -> 'message', 'code', f.v -> 'code') order by f.i)
                         from jsonb_array_elements(findings) with ordinality f(v, i) where f.v ->> 'severity' = 'error');
    warnings text[] := array(select distinct f ->> 'code' from jsonb_array_elements(findings) f
                              where f ->> 'severity' = 'warning' order by 1);
    open     text[] := array(select w from unnest(warnings) w
                              where not coalesce(acknowledge, '[]') ? w
                                and not exists (select from pos.promotion_publication b
                                                 where (b.retailer_id, b.promotion_id, b.version)
                                                     = (the.retailer_id, the.promotion_id, judge_findings.version)
                                                   and w = any (b.acknowledged)) order by 1);
begin
    if errors is not null then
        perform pos.refuse('POS00', 'checks_failed', errors #>> '{0,message}', errors, null,
            jsonb_build_object('findings', findings));
    end if;
    if cardinality(open) > 0 then
        perform pos.refuse('POS09', 'not_acknowledged',
            format('it has warnings: publish it with "acknowledge": %s if it is meant so', to_jsonb(open)), null, null,
            jsonb_build_object('acknowledge', to_jsonb(open), 'findings', findings));
    end if;
    return warnings;
end
$$;

-- publish_promotion: POST /v1/promotions/{id}/publish. An older version rolls back.
-- What nginx checked is in `prepared`: the version, and what it found.
create or replace function api.publish_promotion(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old      pos.response := pos.replayed(request);
    the      pos.promotion;
    was      pos.promotion;
    summary  jsonb;
    findings jsonb := nullif(request #> '{prepared,findings}', 'null');
    warned   text[];
    done     pos.response;
begin
    if old.status is not null then
        return old;
    end if;
    the := pos.promotion_for_change(request);
    perform pos.promotion_may(the, 'publish');
    was := the;
    the.published_version := coalesce((request #>> '{body,version}')::int, (request #>> '{prepared,version}')::int, the.version);
    select v.summary into summary from pos.promotion_version v
     where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, the.published_version);
    if summary is null then
        perform pos.refuse_field('/version', 'unknown_version', format('the promotion has versions 1 to %s', the.version));
    end if;
    the.schedule := pos.schedule_of(request -> 'body');
    perform pos.check_schedule(summary, the.schedule);
    if not pos.promotion_approved(the, the.published_version) then
        perform pos.refuse('POS09', 'approval_required',
            format('version %s needs the approval of another key before it is published', the.published_version), null, null,
            jsonb_build_object('version', the.published_version, 'steps', pos.promotion_resource(was) -> 'steps'));
    end if;
    if findings is null or (request #>> '{prepared,version}')::int is distinct from the.published_version then
        perform pos.refuse('POS09', 'conflict', 'the promotion changed while it was being checked; publish it again');
    end if;
    warned := pos.judge_findings(was, the.published_version, findings, request #> '{body,acknowledge}');
    the.state := 'active';
    the.suspended_reason := null;
    if (the.state, the.published_version, the.suspended_reason, the.schedule)
       is distinct from (was.state, was.published_version, was.suspended_reason, was.schedule) then
        insert into pos.promotion_publication (retailer_id, promotion_id, ordinal, version, schedule, acknowledged, published_by, reason)
        select the.retailer_id, the.promotion_id, coalesce(max(b.ordinal), 0) + 1, the.published_version, the.schedule, warned,
               request #>> '{actor,key_id}', request #>> '{body,reason}'
          from pos.promotion_publication b where (b.retailer_id, b.promotion_id) = (the.retailer_id, the.promotion_id);
    end if;
    done := pos.promotion_step(request, 'publish_promotion', the, 'promotion.published', request #>> '{body,reason}');
    done.body := done.body || jsonb_build_object('findings', findings);
    return pos.remember(request, done);
end
$$;

-- suspend_promotion: POST /v1/promotions/{id}/suspend. Publishing takes it up again.
create or replace function api.suspend_promotion(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old pos.response := pos.replayed(request);
    the pos.promotion;
begin
    if old.status is not null then
        return old;
    end if;
    the := pos.promotion_for_change(request);
    perform pos.promotion_may(the, 'suspend');
    the.suspended_reason := coalesce(request #>> '{body,reason}', case the.state when 'suspended' then the.suspended_reason end);
    the.state := 'suspended';
    return pos.remember(request, pos.promotion_step(request, 'suspend_promotion', the, 'promotion.suspended', the.suspended_reason));
end
$$;

-- archive_promotion: DELETE /v1/promotions/{id}. It leaves the book; versions stay.
create or replace function api.archive_promotion(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    the  pos.promotion := pos.promotion_for_change(request);
    done pos.response;
begin
    the.state := 'archived';
    done := pos.promotion_step(request, 'archive_promotion', the, 'promotion.archived', null);
    return pos.answer(204, null, done.headers - 'ETag');
end
$$;

-- A member's name in a JSON pointer (RFC 6901).
create or replace function pos.pointer_token(name text) returns text
language sql immutable strict parallel safe set search_path = ''
as $$ select replace(replace(name, '~', '~0'), '/', '~1') $$;

-- The JSON Patch (RFC 6902) that makes `b` of `a`. Lists: what is alike at both ends
-- stays, what is between is replaced place by place, the rest removed or added.
create or replace function pos.json_diff(a jsonb, b jsonb, at text default '') returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    ops   jsonb := '[]';
    k     text;
    n     int := 0;
    tail  int := 0;
    la    int;
    lb    int;
    shared int;
begin
    if a = b then
        return ops;
    elsif jsonb_typeof(a) = 'object' and jsonb_typeof(b) = 'object' then
        for k in select e.k from (select jsonb_object_keys(a) as k union select jsonb_object_keys(b)) e order by e.k collate "C" loop
            ops := ops || case
                when not b ? k then jsonb_build_array(jsonb_build_object('op', 'remove', 'path', at || '/' || pos.pointer_token(k)))
                when not a ? k then jsonb_build_array(jsonb_build_object('op', 'add', 'path', at || '/' || pos.pointer_token(k), 'value', b -> k))
                else pos.json_diff(a -> k, b -> k, at || '/' || pos.pointer_token(k)) end;
        end loop;
        return ops;
    elsif jsonb_typeof(a) = 'array' and jsonb_typeof(b) = 'array' then
        la := jsonb_array_length(a);
        lb := jsonb_array_length(b);
        while n < least(la, lb) and a -> n = b -> n loop
            n := n + 1;
        end loop;
        while tail < least(la, lb) - n and a -> (la - 1 - tail) = b -> (lb - 1 - tail) loop
            tail := tail + 1;
        end loop;
        shared := least(la, lb) - tail;
        for i in n .. shared - 1 loop
            ops := ops || pos.json_diff(a -> i, b -> i, at || '/' || i);
        end loop;
        for i in reverse la - tail - 1 .. shared loop
            ops := ops || jsonb_build_array(jsonb_build_object('op', 'remove', 'path', at || '/' || i));
        end loop;
        for i in shared .. lb - tail - 1 loop
            ops := ops || jsonb_build_array(jsonb_build_object('op', 'add', 'path', at || '/' || i, 'value', b -> i));
        end loop;
        return ops;
    end if;
    return jsonb_build_array(jsonb_build_object('op', 'replace', 'path', at, 'value', b));
end
$$;

-- The lines that go and come between two texts, in order: {"op": "remove", "line" (of
-- the first text), "text"} and {"op": "add", "line" (of the second), "text"}. The
-- longest run of common lines stays; where what differs is too much to look for it,
-- the whole of it goes and comes.
create or replace function pos.line_diff(a text, b text) returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    x     text[] := string_to_array(coalesce(a, ''), e'\n');
    y     text[] := string_to_array(coalesce(b, ''), e'\n');
    lx    int := cardinality(x);
    ly    int := cardinality(y);
    head  int := 0;
    w     int;
    len   int[];
    i     int;
    j     int;
    ops   jsonb[] := '{}';
begin
    if a is null then
        lx := 0;
    end if;
    if b is null then
        ly := 0;
    end if;
    while head < least(lx, ly) and x[head + 1] = y[head + 1] loop
        head := head + 1;
    end loop;
    while least(lx, ly) > head and x[lx] = y[ly] loop
        lx := lx - 1;
        ly := ly - 1;
    end loop;
    -- len[(i - head) * w + (j - head) + 1]: common lines from i + 1 and j + 1 on
    w := ly - head + 1;
    if (lx - head + 1)::bigint * w <= 100000 then
        len := array_fill(0, array[(lx - head + 1) * w]);
        for i in reverse lx - 1 .. head loop
            for j in reverse ly - 1 .. head loop
                len[(i - head) * w + j - head + 1] := case when x[i + 1] = y[j + 1]
                    then len[(i + 1 - head) * w + j + 1 - head + 1] + 1
                    else greatest(len[(i + 1 - head) * w + j - head + 1], len[(i - head) * w + j + 1 - head + 1]) end;
            end loop;
        end loop;
    end if;
    i := head;
    j := head;
    while i < lx or j < ly loop
        if i < lx and j < ly and len is not null and x[i + 1] = y[j + 1] then
            i := i + 1;
            j := j + 1;
        elsif i < lx and (j = ly or len is null
                 or len[(i + 1 - head) * w + j - head + 1] >= len[(i - head) * w + j + 1 - head + 1]) then
            i := i + 1;
            ops := ops || jsonb_build_object('op', 'remove', 'line', i, 'text', x[i]);
        else
            j := j + 1;
            ops := ops || jsonb_build_object('op', 'add', 'line', j, 'text', y[j]);
        end if;
    end loop;
    return to_jsonb(ops);
end
$$;

-- diff_promotion_versions: GET /v1/promotions/{id}/versions/{version}/diff?against=
create or replace function api.diff_promotion_versions(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    me   bigint := pos.current_retailer();
    the  text := request #>> '{path,id}';
    n    int := (request #>> '{path,version}')::int;
    m    int := coalesce((request #>> '{query,against}')::int, (request #>> '{path,version}')::int - 1);
    a    pos.promotion_version;
    b    pos.promotion_version;
begin
    select * into b from pos.promotion_version v where (v.retailer_id, v.promotion_id, v.version) = (me, the, n);
    if b.version is null then
        perform pos.refuse_not_found('promotion version', the || ' ' || n);
    end if;
    select * into a from pos.promotion_version v where (v.retailer_id, v.promotion_id, v.version) = (me, the, m);
    if a.version is null and m <> 0 then
        perform pos.refuse_field('/query/against', 'unknown_version', format('the promotion has no version %s', m));
    end if;
    return pos.answer(200, jsonb_build_object('id', the, 'from', m, 'to', n,
        'patch', pos.json_diff(coalesce(a.summary - 'script', '{}'), b.summary - 'script'),
        'script', pos.line_diff(a.script, b.script)));
end
$$;

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

-- What the book shows and runs by one of these sources.
create or replace function pos.quarantined(sources bytea[]) returns table (promotion_id text, source bytea)
language sql stable set search_path = ''
as $$
    select p.promotion_id, v.source
      from pos.promotion_version v
      join pos.promotion p on (p.retailer_id, p.promotion_id, p.published_version) = (v.retailer_id, v.promotion_id, v.version)
     where v.retailer_id = pos.current_retailer() and v.source = any(sources)
       and p.state in ('active', 'scheduled')
     order by p.promotion_id
$$;

-- For posd: takes a promotion out of the book because its published script's source
-- is one of these, each of which has held up a process and is not run any more. One a
-- call; no row: there is none. A version with another source is live again once it is
-- published; one with the same is suspended again.
create or replace function pos.suspend_quarantined(sources bytea[]) returns table (suspended text, culprit bytea)
language plpgsql set search_path = ''
as $$
declare
    me  bigint := pos.current_retailer();
    the pos.promotion;
begin
    -- Most looks find nothing, and then nobody's change of the book waits for one.
    if not exists (select from pos.quarantined(sources)) then
        return;
    end if;
    perform pos.lock_book();
    select q.promotion_id, q.source into suspended, culprit from pos.quarantined(sources) q limit 1;
    if suspended is null then
        return;
    end if;
    select * into strict the from pos.promotion p where p.retailer_id = me and p.promotion_id = suspended for update;
    the.state := 'suspended';
    the.suspended_reason := format('its script ran for longer than a script may: its source (SHA-256 %s) is quarantined',
                                   encode(culprit, 'hex'));
    perform pos.promotion_step('{}', 'suspend_quarantined', the, 'promotion.suspended', the.suspended_reason);
    return next;
end
$$;

-- For nginx: {"promotion", "source", "failures", "last"}: takes a promotion out of the
-- book because its script fails in each quote. Only while that source is what the book
-- runs: a mended version that was published meanwhile has failed nowhere yet.
create or replace function pos.suspend_failing(request jsonb) returns boolean
language plpgsql set search_path = ''
as $$
declare
    the pos.promotion;
begin
    perform pos.lock_book();
    select p.* into the
      from pos.promotion p
      join pos.promotion_version v on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)
     where p.retailer_id = pos.current_retailer() and p.promotion_id = request ->> 'promotion'
       and v.source = decode(request ->> 'source', 'hex') and p.state in ('active', 'scheduled')
       for update of p;
    if not found then
        return false;
    end if;
    the.state := 'suspended';
    the.suspended_reason := format('its script failed %s times in a row, the last time with: %s',
                                   request ->> 'failures', request ->> 'last');
    perform pos.promotion_step('{}', 'suspend_failing', the, 'promotion.suspended', the.suspended_reason);
    return true;
end
$$;

drop function if exists pos.suspend_failing(text, text);

reset role;
