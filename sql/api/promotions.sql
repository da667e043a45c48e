-- Promotions and their versions: written, read and compared.

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

drop function if exists pos.promotion_needs_approval(jsonb);

-- Does this document, or this script that compiled to it, need an approval before it is
-- published? What it may cost is known where a limit caps its amount in all; a day's cap
-- is none over the years, and no limit of an amount counts points, which a script may
-- give without a word of it in the document.
create or replace function pos.promotion_needs_approval(document jsonb, script text) returns boolean
language sql stable set search_path = ''
as $$
    select case coalesce(r.document ->> 'promotion_approval', 'never')
             when 'never' then false
             when 'always' then true
             else script is not null or jsonb_path_exists(promotion_needs_approval.document, '$.then[*].points')
               or coalesce((select min((l ->> 'max')::numeric)
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
        'needs_approval', pos.promotion_needs_approval(v.summary, v.script),
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
        'schedule', p.schedule, 'needs_approval', pos.promotion_needs_approval(v.summary, v.script), 'review', pos.review_resource(r),
        'document', v.summary, 'script', v.script, 'created_at', pos.rfc3339(p.created_at), 'updated_at', pos.rfc3339(p.updated_at))
      from pos.promotion_version v
      left join pos.promotion_version live on live.retailer_id = p.retailer_id and live.promotion_id = p.promotion_id
                                          and live.version = p.published_version
      left join pos.promotion_review r on (r.retailer_id, r.promotion_id, r.version) = (v.retailer_id, v.promotion_id, v.version)
      cross join lateral (select pos.promotion_state(p.state, coalesce(live.summary, v.summary), p.schedule)) t(state)
     where v.retailer_id = p.retailer_id and v.promotion_id = p.promotion_id and v.version = p.version
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
    after text;
    top   int;
begin
    select * into the from pos.promotion p where p.retailer_id = me and p.promotion_id = request #>> '{path,id}';
    if the.promotion_id is null then
        perform pos.refuse_not_found('promotion', request #>> '{path,id}');
    end if;
    after := pos.cursor_read(request);
    if after !~ '^[0-9]{0,9}$' then
        perform pos.refuse_field('/query/after', 'cursor', 'this is not a cursor that a list gave');
    end if;
    top := coalesce(nullif(after, '')::int, the.version + 1);
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

-- A member's name in a JSON pointer (RFC 6901).
create or replace function pos.pointer_token(name text) returns text
language sql immutable strict parallel safe set search_path = ''
as $$ select replace(replace(name, '~', '~0'), '/', '~1') $$;

-- The JSON Patch (RFC 6902) that makes `b` of `a`. Lists: what is alike at both ends
-- stays, what is between is replaced place by place, the rest removed or added; where
-- that is more than anybody reads, the list is replaced.
create or replace function pos.json_diff(a jsonb, b jsonb, at text default '') returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    n      int := 0;
    tail   int := 0;
    la     int;
    lb     int;
    shared int;
begin
    if a = b then
        return '[]';
    elsif jsonb_typeof(a) = 'object' and jsonb_typeof(b) = 'object' then
        return (select coalesce(jsonb_agg(o.op order by e.at collate "C", o.i), '[]')
                  from (select at || '/' || pos.pointer_token(k.k) as at, a -> k.k as was, b -> k.k as now_is
                          from (select jsonb_object_keys(a) as k union select jsonb_object_keys(b)) k) e
                 cross join lateral jsonb_array_elements(case
                       when e.now_is is null then jsonb_build_array(jsonb_build_object('op', 'remove', 'path', e.at))
                       when e.was is null then jsonb_build_array(jsonb_build_object('op', 'add', 'path', e.at, 'value', e.now_is))
                       else pos.json_diff(e.was, e.now_is, e.at) end) with ordinality o(op, i));
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
        if greatest(la, lb) - tail - n <= 500 then
            return (select coalesce(jsonb_agg(o.op order by e.i, o.i), '[]')
                      from generate_series(n, shared - 1) e(i)
                     cross join lateral jsonb_array_elements(pos.json_diff(a -> e.i, b -> e.i, at || '/' || e.i)) with ordinality o(op, i))
                || (select coalesce(jsonb_agg(jsonb_build_object('op', 'remove', 'path', at || '/' || e.i) order by e.i desc), '[]')
                      from generate_series(shared, la - tail - 1) e(i))
                || (select coalesce(jsonb_agg(jsonb_build_object('op', 'add', 'path', at || '/' || e.i, 'value', b -> e.i) order by e.i), '[]')
                      from generate_series(shared, lb - tail - 1) e(i));
        end if;
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

reset role;
