-- The retailer of the key: its settings.

set local role pos_owner;

-- RFC 7396.
create or replace function pos.merge_patch(target jsonb, patch jsonb) returns jsonb
language plpgsql immutable set search_path = ''
as $$
declare
    k text;
    v jsonb;
begin
    if jsonb_typeof(patch) <> 'object' then
        return patch;
    end if;
    if jsonb_typeof(target) is distinct from 'object' then
        target := '{}';
    end if;
    for k, v in select * from jsonb_each(patch) loop
        if v = 'null' then
            target := target - k;
        else
            target := jsonb_set(target, array[k], pos.merge_patch(target -> k, v));
        end if;
    end loop;
    return target;
end
$$;

create or replace function pos.known_timezone(zone text) returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    perform now() at time zone zone;
    return true;
exception when invalid_parameter_value then
    return false;
end
$$;

-- The retailer as the API shows it.
create or replace function pos.retailer_resource() returns jsonb
language sql stable set search_path = ''
as $$
    select r.document || jsonb_build_object('mode', r.mode) from pos.retailer r where r.retailer_id = pos.current_retailer()
$$;

-- get_retailer: GET /v1/retailer
create or replace function api.get_retailer(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$ select pos.answer_resource(request, pos.retailer_resource(), 'retailer', '') $$;

-- patch_retailer: PATCH /v1/retailer
create or replace function api.patch_retailer(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    before jsonb;
    after  jsonb;
    name   text;
begin
    perform pos.lock_book();
    before := pos.retailer_resource();
    perform pos.check_match(request, before);
    after := pos.retailer_settings(pos.merge_patch(before, request -> 'body') - 'mode');
    foreach name in array array['code', 'currency'] loop
        if after ->> name is null then
            perform pos.refuse_field('/' || name, 'required', 'a retailer cannot be without it');
        end if;
    end loop;
    if not pos.known_timezone(after ->> 'timezone') then
        perform pos.refuse_field('/timezone', 'unknown_timezone', 'this is no time zone of the IANA database');
    end if;
    if after ->> 'promotion_approval' = 'above_budget' and after ->> 'promotion_budget' is null then
        perform pos.refuse_field('/promotion_budget', 'required', 'above which budget a promotion needs an approval');
    end if;
    update pos.retailer r set document = after where r.retailer_id = me;
    return pos.book_put(request, 'patch_retailer', 'retailer', '', '[["retailer", ""]]', before, pos.retailer_resource());
end
$$;

reset role;
