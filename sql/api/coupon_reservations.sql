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

-- create_coupon_reservation: POST /v1/coupon-reservations
create or replace function api.create_coupon_reservation(request jsonb) returns pos.response
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
    before := pos.usage_read(request #>> '{body,id}');
    after := pos.usage_reserve(request -> 'body');
    return pos.remember(request, pos.reservation_step(request, 'create_coupon_reservation', 'coupon_reservation.held', before, after));
end
$$;

-- get_coupon_reservation: GET /v1/coupon-reservations/{id}
create or replace function api.get_coupon_reservation(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$ select pos.answer_resource(request, pos.usage_read(request #>> '{path,id}'), 'reservation', request #>> '{path,id}') $$;

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
    before := pos.usage_read(request #>> '{path,id}');
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
    before := pos.usage_read(request #>> '{path,id}');
    after := pos.usage_release(request #>> '{path,id}');
    return pos.remember(request, pos.reservation_step(request, 'release_coupon_reservation', 'coupon_reservation.released', before, after));
end
$$;

reset role;
