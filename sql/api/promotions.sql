-- Promotions and their versions.

set local role pos_owner;

-- The state as of now: what is active may be yet to start, or over.
create or replace function pos.promotion_state(state text, document jsonb) returns text
language sql stable set search_path = ''
as $$
    select case when state not in ('active', 'scheduled', 'ended') then state
                when pos.instant(document #>> '{active,until}', r.timezone) <= now() then 'ended'
                when pos.instant(document #>> '{active,from}', r.timezone) > now() then 'scheduled'
                else 'active' end
      from pos.retailer r where r.retailer_id = pos.current_retailer()
$$;

-- A version as the API shows it.
create or replace function pos.version_resource(v pos.promotion_version, published int) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('version', v.version, 'published', v.version = published is true, 'document', v.summary,
        'script', v.script, 'author', v.author, 'reason', v.reason, 'created_at', pos.rfc3339(v.created_at))
$$;

-- A promotion as the API shows it: its newest version, and which is published.
create or replace function pos.promotion_resource(p pos.promotion) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', p.promotion_id,
        'state', pos.promotion_state(p.state, coalesce(live.summary, v.summary)),
        'version', p.version, 'published_version', p.published_version, 'suspended_reason', p.suspended_reason,
        'document', v.summary, 'script', v.script, 'created_at', pos.rfc3339(p.created_at), 'updated_at', pos.rfc3339(p.updated_at))
      from pos.promotion_version v
      left join pos.promotion_version live on live.retailer_id = p.retailer_id and live.promotion_id = p.promotion_id
                                          and live.version = p.published_version
     where v.retailer_id = p.retailer_id and v.promotion_id = p.promotion_id and v.version = p.version
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
       set state = the.state, published_version = the.published_version, suspended_reason = the.suspended_reason, updated_at = now()
     where p.retailer_id = me and p.promotion_id = the.promotion_id
       and (p.state, p.published_version, p.suspended_reason)
           is distinct from (the.state, the.published_version, the.suspended_reason)
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
                        else pos.promotion_state(p.state, v.summary) = request #>> '{query,state}' end
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
                'doc', pos.version_resource(t, the.published_version)) order by t.version desc))
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
        (select pos.version_resource(v, p.published_version)
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
            state = case p.state when 'archived' then 'draft' else p.state end,
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

-- publish_promotion: POST /v1/promotions/{id}/publish. An older version rolls back.
create or replace function api.publish_promotion(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old pos.response := pos.replayed(request);
    the pos.promotion;
    n   int := (request #>> '{body,version}')::int;
begin
    if old.status is not null then
        return old;
    end if;
    the := pos.promotion_for_change(request);
    if the.state = 'archived' then
        perform pos.refuse_state('promotion', the.state, '{}');
    end if;
    the.published_version := coalesce(n, the.version);
    if not exists (select from pos.promotion_version v where v.retailer_id = the.retailer_id
                      and v.promotion_id = the.promotion_id and v.version = the.published_version) then
        perform pos.refuse_field('/version', 'unknown_version', format('the promotion has versions 1 to %s', the.version));
    end if;
    the.state := 'active';
    the.suspended_reason := null;
    return pos.remember(request, pos.promotion_step(request, 'publish_promotion', the, 'promotion.published',
                                                    request #>> '{body,reason}'));
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
    if the.state not in ('active', 'scheduled', 'ended', 'suspended') then
        perform pos.refuse_state('promotion', the.state, case the.state when 'archived' then '{}' else '{publish,archive}' end::text[]);
    end if;
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
