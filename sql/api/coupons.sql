-- Coupons. A code is found in any case, by its upper-case form.

set local role pos_owner;

-- A coupon as the API shows it: what it says, and how it stands.
create or replace function pos.coupon_resource(c pos.coupon) returns jsonb
language sql stable set search_path = ''
as $$
    select '{"remaining": null, "per_customer": null, "from": null, "until": null}'::jsonb || c.document
        || jsonb_build_object('state', case when s.standing in ('revoked', 'expired') then s.standing
                                            when u.used >= u.most then 'used_up'
                                            when s.standing = 'scheduled' then s.standing
                                            when u.used + u.reserved >= u.most then 'reserved'
                                            else s.standing end,
               'used', u.used, 'reserved', u.reserved, 'batch', c.batch_id, 'created_at', pos.rfc3339(c.created_at),
               'revoked_at', pos.rfc3339(coalesce(c.revoked_at, b.revoked_at)), 'revoked_reason', coalesce(c.revoked_reason, b.revoked_reason))
      from (select pos.coupon_standing(c) as standing) s
     cross join lateral (
           select coalesce(max(x.used), 0) as used,
                  -- What is overdue counts no more, whether it was swept yet or not.
                  coalesce(max(x.reserved), 0) - coalesce((
                      select sum(l.quantity) from pos.usage_line l
                       where l.retailer_id = c.retailer_id and l.kind = 'coupon' and l.name = c.code and l.of = 'orders' and l.per = 'all'
                         and l.subject = '' and l.span = 'none' and l.since = '1970-01-01'
                         and l.state = 'held' and l.expires_at <= clock_timestamp()), 0) as reserved,
                  (c.document ->> 'remaining')::bigint as most
             from pos.usage_counter x
            where x.retailer_id = c.retailer_id and x.kind = 'coupon' and x.name = c.code and x.of = 'orders' and x.per = 'all'
              and x.subject = '' and x.span = 'none') u
      left join pos.coupon_batch b on b.retailer_id = c.retailer_id and b.batch_id = c.batch_id
$$;

-- list_coupons: GET /v1/coupons. A batch's are found by its own index: one condition
-- for with and without would keep it from being used.
create or replace function api.list_coupons(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', (t.c).code, 'doc', pos.coupon_resource(t.c)) order by (t.c).code))
      from ((select x as c from pos.coupon x
              where request #>> '{query,batch}' is null and x.retailer_id = pos.current_retailer() and x.code > pos.cursor_read(request)
              order by x.code limit pos.page_limit(request) + 1)
            union all
            (select x from pos.coupon x
              where x.retailer_id = pos.current_retailer() and x.batch_id = request #>> '{query,batch}' and x.code > pos.cursor_read(request)
              order by x.code limit pos.page_limit(request) + 1)) t
$$;

-- get_coupon: GET /v1/coupons/{code}
create or replace function api.get_coupon(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select pos.coupon_resource(x) from pos.coupon x
          where x.retailer_id = pos.current_retailer() and x.code = upper((request #>> '{path,code}') collate "C")),
        'coupon', request #>> '{path,code}')
$$;

-- The coupon of the path, locked; null: there is none.
create or replace function pos.coupon_for_change(request jsonb) returns pos.coupon
language sql volatile set search_path = ''
as $$
    select x from pos.coupon x
     where x.retailer_id = pos.current_retailer() and x.code = upper((request #>> '{path,code}') collate "C") for update
$$;

-- The end of a change of a coupon: audit, revision, answer. What is said is
-- compared, and how it stands is shown.
create or replace function pos.coupon_step(request jsonb, operation text, was pos.coupon, now_is pos.coupon) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    after   jsonb := pos.coupon_resource(now_is);
    headers jsonb;
begin
    if was is distinct from now_is then
        perform pos.audited(request, operation, 'coupon', now_is.code, pos.coupon_resource(was), after);
        perform pos.book_changed(jsonb_build_array(jsonb_build_array('coupon', now_is.code)));
    end if;
    headers := jsonb_build_object('Pos-Revision', pos.revision_name(), 'ETag', pos.etag(after));
    if was.code is null then
        return pos.answer(201, after, headers || jsonb_build_object('Location', '/v1/coupons/' || pos.url_encode(request #>> '{path,code}')));
    end if;
    return pos.answer(200, after, headers);
end
$$;

-- put_coupon: PUT /v1/coupons/{code}. A revoked code stays revoked for ever.
create or replace function api.put_coupon(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me       bigint := pos.current_retailer();
    the      text := upper((request #>> '{path,code}') collate "C");
    was      pos.coupon;
    now_is   pos.coupon;
    document jsonb := pos.body_named(request, 'code');
begin
    perform pos.lock_book();
    was := pos.coupon_for_change(request);
    perform pos.check_match(request, case when was.code is not null then pos.coupon_resource(was) end);
    if was.code is not null and pos.coupon_standing(was) = 'revoked' then
        perform pos.refuse_state('coupon', 'revoked', '{}');
    end if;
    perform pos.refuse_fields(pos.coupon_faults(document));
    insert into pos.coupon as x (retailer_id, code, document) values (me, the, document)
        on conflict (retailer_id, code) do update set document = excluded.document
    returning * into now_is;
    return pos.coupon_step(request, 'put_coupon', was, now_is);
end
$$;

-- revoke_coupon: POST /v1/coupons/{code}/revoke. It leaves the book, and its code
-- is never given to another.
create or replace function api.revoke_coupon(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old    pos.response := pos.replayed(request);
    was    pos.coupon;
    now_is pos.coupon;
begin
    if old.status is not null then
        return old;
    end if;
    perform pos.lock_book();
    was := pos.coupon_for_change(request);
    if was.code is null then
        perform pos.refuse_not_found('coupon', request #>> '{path,code}');
    end if;
    perform pos.check_match(request, pos.coupon_resource(was));
    now_is := was;
    if was.revoked_at is null then
        update pos.coupon x set revoked_at = now(), revoked_reason = request #>> '{body,reason}'
         where x.retailer_id = was.retailer_id and x.code = was.code returning * into now_is;
        perform pos.emit('coupon.revoked', 'coupon/' || was.code,
            jsonb_strip_nulls(jsonb_build_object('code', was.code, 'reason', now_is.revoked_reason)));
    end if;
    return pos.remember(request, pos.coupon_step(request, 'revoke_coupon', was, now_is));
end
$$;

-- delete_coupon: DELETE /v1/coupons/{code}. A batch's code is revoked instead: past
-- revisions know it by its batch. A revoked one stays, or it could be given again.
create or replace function api.delete_coupon(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := upper((request #>> '{path,code}') collate "C");
    was    pos.coupon;
    before jsonb;
begin
    perform pos.lock_book();
    was := pos.coupon_for_change(request);
    if was.code is null then
        perform pos.refuse_not_found('coupon', request #>> '{path,code}');
    end if;
    before := pos.coupon_resource(was);
    perform pos.check_match(request, before);
    if was.batch_id is not null then
        perform pos.refuse('POS09', 'coupon_of_batch', format('the coupon belongs to the batch %s: it can be revoked', was.batch_id));
    end if;
    if was.revoked_at is not null then
        perform pos.refuse_state('coupon', 'revoked', '{}');
    end if;
    delete from pos.coupon x where x.retailer_id = me and x.code = the;
    return pos.book_put(request, 'delete_coupon', 'coupon', the, jsonb_build_array(jsonb_build_array('coupon', the)),
                        before, null);
end
$$;

reset role;
