-- Reservations of coupons and of promotions' limits, for checkouts that take a
-- while. Orders call the functions of 02_usage.sql in their own transaction.

set local role pos_owner;

-- The end of a step: audit and event, where it changed something; the answer.
create or replace function pos.reservation_step(request jsonb, operation text, event text, before jsonb, after jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    headers jsonb := jsonb_build_object('ETag', pos.etag(after));
begin
    if before is distinct from after then
        perform pos.audited(request, operation, 'coupon_reservation', after ->> 'id', before, after);
        perform pos.emit(event, 'coupon_reservation/' || (after ->> 'id'), jsonb_build_object('id', after -> 'id', 'state', after -> 'state'));
    end if;
    if before is null then
        return pos.answer(201, after, headers || jsonb_build_object('Location', '/v1/coupon-reservations/' || pos.url_encode(after ->> 'id')));
    end if;
    return pos.answer(200, after, headers);
end
$$;

-- May this key see all reservations, or its own alone?
create or replace function pos.reservations_all(request jsonb) returns boolean
language sql immutable set search_path = ''
as $$ select coalesce(request #> '{actor,scopes}' ?| '{*,coupons:*,coupons:write}', false) $$;

-- An order's use is the order's, and changes with it.
create or replace function pos.reservation_named(pointer text, the text) returns void
language plpgsql set search_path = ''
as $$
begin
    if starts_with(the, 'ord_') then
        perform pos.refuse_field(pointer, 'reserved', 'what begins with ord_ is an order''s');
    end if;
end
$$;

-- The path's reservation, if it is this key's to see.
create or replace function pos.reservation_seen(request jsonb, u pos.usage) returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    perform pos.reservation_named('/path/id', request #>> '{path,id}');
    if u.usage_id is null or (u.created_by is distinct from request #>> '{actor,key_id}' and not pos.reservations_all(request)) then
        perform pos.refuse_not_found('reservation', request #>> '{path,id}');
    end if;
    return pos.usage_resource(u);
end
$$;

-- The same, its row locked: of two steps at once the second finds the first one's end.
create or replace function pos.reservation_for_change(request jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    u pos.usage;
begin
    select * into u from pos.usage x where x.retailer_id = pos.current_retailer() and x.usage_id = request #>> '{path,id}' for update;
    return pos.reservation_seen(request, u);
end
$$;

-- create_coupon_reservation: POST /v1/coupon-reservations
create or replace function api.create_coupon_reservation(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old  pos.response := pos.replayed(request);
    held record;
begin
    if old.status is not null then
        return old;
    end if;
    perform pos.reservation_named('/id', request #>> '{body,id}');
    select * into held from pos.usage_hold(request -> 'body', request #>> '{actor,key_id}', pos.reservations_all(request));
    return pos.remember(request, pos.reservation_step(request, 'create_coupon_reservation', 'coupon_reservation.held', held.before, held.after));
end
$$;

-- get_coupon_reservation: GET /v1/coupon-reservations/{id}
create or replace function api.get_coupon_reservation(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    u pos.usage;
begin
    select * into u from pos.usage x where x.retailer_id = pos.current_retailer() and x.usage_id = request #>> '{path,id}';
    return pos.answer_resource(request, pos.reservation_seen(request, u), 'reservation', u.usage_id);
end
$$;

-- commit_coupon_reservation: POST /v1/coupon-reservations/{id}/commit
create or replace function api.commit_coupon_reservation(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old    pos.response := pos.replayed(request);
    before jsonb;
    after  jsonb;
begin
    if old.status is not null then
        return old;
    end if;
    before := pos.reservation_for_change(request);
    after := pos.usage_commit(jsonb_build_object('id', request #>> '{path,id}'));
    return pos.remember(request, pos.reservation_step(request, 'commit_coupon_reservation', 'coupon_reservation.committed', before, after));
end
$$;

-- release_coupon_reservation: POST /v1/coupon-reservations/{id}/release
create or replace function api.release_coupon_reservation(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old    pos.response := pos.replayed(request);
    before jsonb;
    after  jsonb;
begin
    if old.status is not null then
        return old;
    end if;
    before := pos.reservation_for_change(request);
    after := pos.usage_release(request #>> '{path,id}');
    return pos.remember(request, pos.reservation_step(request, 'release_coupon_reservation', 'coupon_reservation.released', before, after));
end
$$;

reset role;
