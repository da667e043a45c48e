-- The category tree.

set local role pos_owner;

-- list_categories: GET /v1/categories
create or replace function api.list_categories(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.code, 'doc', t.document) order by t.code))
      from (select x.code, x.document from pos.category x
             where x.retailer_id = pos.current_retailer() and x.code > pos.cursor_read(request)
             order by x.code limit pos.page_limit(request) + 1) t
$$;

-- get_category: GET /v1/categories/{code}
create or replace function api.get_category(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select x.document from pos.category x
          where x.retailer_id = pos.current_retailer() and x.code = request #>> '{path,code}'),
        'category', request #>> '{path,code}')
$$;

-- A category's parent is there and is not below the category itself. The
-- book's writers take turns, so that two moves cannot make a ring.
create or replace function pos.check_parent(category text, above text) returns void
language plpgsql set search_path = ''
as $$
declare
    me bigint := pos.current_retailer();
begin
    if above is null then
        return;
    end if;
    if above <> category and not exists (select from pos.category c where c.retailer_id = me and c.code = above) then
        perform pos.refuse_field('/parent', 'unknown_category', format('there is no category %L', above));
    end if;
    if above = category or exists (
        with recursive up(code) as (
            select above collate "C"
            union
            select c.parent from pos.category c join up u on c.code = u.code
             where c.retailer_id = me and c.parent is not null)
        select from up u where u.code = category) then
        perform pos.refuse_field('/parent', 'category_cycle', 'a category cannot be below itself');
    end if;
end
$$;

-- put_category: PUT /v1/categories/{code}
create or replace function api.put_category(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    before jsonb;
    after  jsonb := pos.body_named(request, 'code');
begin
    perform pos.lock_book();
    loop
        select x.document into before from pos.category x where x.retailer_id = me and x.code = the for update;
        exit when found;
        insert into pos.category (retailer_id, code, document) values (me, the, after) on conflict do nothing;
        exit when found;
    end loop;
    perform pos.check_match(request, before);
    perform pos.check_parent(the, after ->> 'parent');
    update pos.category x set document = after where x.retailer_id = me and x.code = the and x.document <> after;
    return pos.book_put(request, 'put_category', 'category', the, jsonb_build_array(jsonb_build_array('category', the)),
                        before, after, '/v1/categories/' || pos.url_encode(request #>> '{path,code}'));
end
$$;

-- delete_category: DELETE /v1/categories/{code}
create or replace function api.delete_category(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    the    text := request #>> '{path,code}';
    before jsonb;
begin
    perform pos.lock_book();
    select x.document into before from pos.category x where x.retailer_id = me and x.code = the for update;
    if before is null then
        perform pos.refuse_not_found('category', request #>> '{path,code}');
    end if;
    perform pos.check_match(request, before);
    if exists (select from pos.category c where c.retailer_id = me and c.parent = the) then
        perform pos.refuse_in_use('category', 'a category below it');
    end if;
    if exists (select from pos.product p where p.retailer_id = me and p.document -> 'categories' ? the) then
        perform pos.refuse_in_use('category', 'a product');
    end if;
    delete from pos.category x where x.retailer_id = me and x.code = the;
    return pos.book_put(request, 'delete_category', 'category', the, jsonb_build_array(jsonb_build_array('category', the)),
                        before, null);
end
$$;

reset role;
