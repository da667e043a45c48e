-- The steps of a promotion: reviews, publishing, suspension, the archive
-- (docs/promotion-life.md).

set local role pos_owner;

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
    insert into pos.promotion_review as r (retailer_id, promotion_id, version, state, submitted_by, submitters, note)
    values (the.retailer_id, the.promotion_id, the.version, 'requested', request #>> '{actor,key_id}',
            array_remove(array[request #>> '{actor,key_id}'], null), request #>> '{body,reason}')
        on conflict (retailer_id, promotion_id, version) do update
        set state = 'requested', submitted_by = excluded.submitted_by, submitted_at = now(), note = excluded.note,
            submitters = case when r.submitters @> excluded.submitters then r.submitters else r.submitters || excluded.submitters end,
            decided_by = null, decided_at = null, reason = null;
    return pos.remember(request, pos.review_step(request, 'submit_promotion', the, before, 'in_review', 'promotion.submitted'));
end
$$;

-- The decision on the newest version, which must be the one that was looked at, by a key
-- that neither wrote it nor ever submitted it.
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
    if n is distinct from the.version then
        perform pos.refuse('POS09', 'other_version', format('the review is of version %s, the newest; %s is not under review',
            the.version, coalesce('version ' || n, 'what is not named')));
    end if;
    if me is null or exists (select from pos.promotion_version v
                  where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, the.version) and v.author = me)
       or exists (select from pos.promotion_review r
                   where (r.retailer_id, r.promotion_id, r.version) = (the.retailer_id, the.promotion_id, the.version)
                     and me = any (r.submitters)) then
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

drop function if exists pos.promotion_approved(pos.promotion, int);

-- Is this window of times within that one? No time there is no bound.
create or replace function pos.window_within(inner_one jsonb, outer_one jsonb) returns boolean
language sql stable set search_path = ''
as $$
    select coalesce(pos.instant(inner_one ->> 'from', r.timezone), '-infinity') >= coalesce(pos.instant(outer_one ->> 'from', r.timezone), '-infinity')
       and coalesce(pos.instant(inner_one ->> 'until', r.timezone), 'infinity') <= coalesce(pos.instant(outer_one ->> 'until', r.timezone), 'infinity')
      from pos.retailer r where r.retailer_id = pos.current_retailer()
$$;

-- What keeps this version from being published for these times as far as approvals go;
-- null: nothing. One that was live before needs none: going back must not wait for
-- anybody. An approval is of the version with its own times; what it was live for
-- before, it may be for again.
create or replace function pos.approval_missing(the pos.promotion, version int, schedule jsonb) returns text
language sql stable set search_path = ''
as $$
    with past as (
        select b.schedule from pos.promotion_publication b
         where (b.retailer_id, b.promotion_id, b.version) = (the.retailer_id, the.promotion_id, approval_missing.version)
    )
    select case
           when not pos.promotion_needs_approval(v.summary, v.script) then null
           when not exists (select from past)
                and not exists (select from pos.promotion_review r
                                 where (r.retailer_id, r.promotion_id, r.version) = (v.retailer_id, v.promotion_id, v.version)
                                   and r.state = 'approved')
           then format('version %s needs the approval of another key before it is published', v.version)
           when not exists (select from (select null::jsonb union all select p.schedule from past p) w(schedule)
                             where pos.window_within(pos.promotion_active(v.summary, approval_missing.schedule),
                                                     pos.promotion_active(v.summary, w.schedule)))
           then format('the approval is of the times in version %s, and these go beyond them', v.version) end
      from pos.promotion_version v
     where (v.retailer_id, v.promotion_id, v.version) = (the.retailer_id, the.promotion_id, approval_missing.version)
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

-- Did another promotion, or the retailer, change since the revision of the book that the
-- checks saw? Then none of them knows of it. Null: it is not known which they saw, and
-- they say so.
create or replace function pos.checked_too_early(the pos.promotion, revision bigint) returns boolean
language sql stable set search_path = ''
as $$
    select exists (
        select from pos.revision_log l
         where l.retailer_id = the.retailer_id and l.rev > checked_too_early.revision
           and (l.bulk and l.keys = '[]'
                or exists (select from jsonb_array_elements(l.keys) k
                            where k ->> 0 = 'retailer' or k ->> 0 = 'promotion' and k ->> 1 <> the.promotion_id)))
$$;

-- One more publication of what is published now.
create or replace function pos.publication_kept(the pos.promotion, acknowledged text[], author text, reason text) returns void
language sql set search_path = ''
as $$
    insert into pos.promotion_publication (retailer_id, promotion_id, ordinal, version, schedule, acknowledged, published_by, reason)
    select the.retailer_id, the.promotion_id, coalesce(max(b.ordinal), 0) + 1, the.published_version, the.schedule,
           publication_kept.acknowledged, author, publication_kept.reason
      from pos.promotion_publication b where (b.retailer_id, b.promotion_id) = (the.retailer_id, the.promotion_id)
$$;

-- publish_promotion: POST /v1/promotions/{id}/publish. An older version rolls back.
-- What nginx checked is in `prepared`: the version, what it found, and by which revision
-- of the book.
create or replace function api.publish_promotion(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old      pos.response := pos.replayed(request);
    the      pos.promotion;
    was      pos.promotion;
    summary  jsonb;
    findings jsonb := nullif(request #> '{prepared,findings}', 'null');
    missing  text;
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
    missing := pos.approval_missing(the, the.published_version, the.schedule);
    if missing is not null then
        perform pos.refuse('POS09', 'approval_required', missing, null, null,
            jsonb_build_object('version', the.published_version, 'steps', pos.promotion_resource(was) -> 'steps'));
    end if;
    if findings is null or (request #>> '{prepared,version}')::int is distinct from the.published_version then
        perform pos.refuse('POS09', 'conflict', 'the promotion changed while it was being checked; publish it again');
    end if;
    if pos.checked_too_early(the, (request #>> '{prepared,revision}')::bigint) then
        perform pos.refuse('POS09', 'conflict', 'another promotion changed while this one was being checked; publish it again');
    end if;
    warned := pos.judge_findings(was, the.published_version, findings, request #> '{body,acknowledge}');
    the.state := 'active';
    the.suspended_reason := null;
    if (the.state, the.published_version, the.suspended_reason, the.schedule)
       is distinct from (was.state, was.published_version, was.suspended_reason, was.schedule) then
        perform pos.publication_kept(the, warned, request #>> '{actor,key_id}', request #>> '{body,reason}');
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
