-- Experiments.

set local role pos_owner;

-- list_experiments: GET /v1/experiments
create or replace function api.list_experiments(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.code, 'doc', t.document) order by t.code))
      from (select x.code, x.document from pos.experiment x
             where x.retailer_id = pos.current_retailer() and x.code > pos.cursor_read(request)
             order by x.code limit pos.page_limit(request) + 1) t
$$;

-- get_experiment: GET /v1/experiments/{code}
create or replace function api.get_experiment(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select x.document from pos.experiment x
          where x.retailer_id = pos.current_retailer() and x.code = request #>> '{path,code}'),
        'experiment', request #>> '{path,code}')
$$;

-- put_experiment: PUT /v1/experiments/{code}
create or replace function api.put_experiment(request jsonb) returns pos.response
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
        select x.document into before from pos.experiment x where x.retailer_id = me and x.code = the for update;
        exit when found;
        insert into pos.experiment (retailer_id, code, document) values (me, the, after) on conflict do nothing;
        exit when found;
    end loop;
    perform pos.check_match(request, before);
    update pos.experiment x set document = after where x.retailer_id = me and x.code = the and x.document <> after;
    return pos.book_put(request, 'put_experiment', 'experiment', the, jsonb_build_array(jsonb_build_array('experiment', the)),
                        before, after, '/v1/experiments/' || pos.url_encode(request #>> '{path,code}'));
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
    select x.document into before from pos.experiment x where x.retailer_id = me and x.code = the for update;
    if before is null then
        perform pos.refuse_not_found('experiment', request #>> '{path,code}');
    end if;
    perform pos.check_match(request, before);
    delete from pos.experiment x where x.retailer_id = me and x.code = the;
    return pos.book_put(request, 'delete_experiment', 'experiment', the, jsonb_build_array(jsonb_build_array('experiment', the)),
                        before, null);
end
$$;

reset role;
