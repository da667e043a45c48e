-- Batches of coupons: up to a million codes made at once, exported, revoked.
--
-- A code is its batch's pattern with each # replaced by a letter of an alphabet
-- of 19 in which none is taken for another (of 0 O D Q, 1 I L, 2 Z, 5 S, 8 B, 6 G
-- and U V at most one is there) and no word is spelled (no vowels). The last # is
-- a check letter over the letters before: with the letters' places in the alphabet
-- a_i, counted from the right,
--   sum of a_i * 2^i = 0 modulo 19
-- 19 is a prime and 2 generates all that is not 0, so any one wrong letter breaks the
-- sum, as do two neighbours changed over, letters changed over across one between,
-- and a pair of one letter made a pair of another.

set local role pos_owner;

create or replace function pos.code_letters() returns text
language sql immutable parallel safe
return 'CDFHJKMNPRTVWXY3479'::text;

-- What a letter counts in the check, by its place from the right, from 0.
create or replace function pos.code_weight(place int) returns int
language sql immutable parallel safe set search_path = ''
as $$ select ((2::bigint ^ (place % 18))::bigint % 19)::int $$;

-- Is this a code of the pattern, its check letter right? Any case.
create or replace function pos.code_fits(code text, pattern text) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select length(code) = length(pattern)
           and bool_and(case when p.c = '#' then strpos(pos.code_letters(), c.c) > 0 else p.c = c.c end)
           and sum(case when p.c = '#' then (strpos(pos.code_letters(), c.c) - 1) * pos.code_weight((p.places - p.place)::int) else 0 end) % 19 = 0
      from (select x.c, x.i, count(*) filter (where x.c = '#') over () as places,
                   count(*) filter (where x.c = '#') over (order by x.i) as place
              from regexp_split_to_table(pattern, '') with ordinality as x(c, i)) p
      join regexp_split_to_table(upper(code collate "C"), '') with ordinality as c(c, i) on c.i = p.i
$$;

-- A batch as the API shows it. One whose job ended without codes is failed.
create or replace function pos.batch_resource(b pos.coupon_batch) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', b.batch_id, 'name', b.name, 'pattern', b.pattern, 'count', b.codes,
               'state', case when b.state = 'pending' and j.state in ('failed', 'cancelled') then 'failed' else b.state end,
               'promotions', b.document -> 'promotions', 'remaining', b.document -> 'remaining', 'per_customer', b.document -> 'per_customer',
               'from', b.document -> 'from', 'until', b.document -> 'until', 'job', b.job_id, 'created_by', b.created_by,
               'created_at', pos.rfc3339(b.created_at), 'revoked_at', pos.rfc3339(b.revoked_at), 'revoked_reason', b.revoked_reason)
      from pos.job j where j.retailer_id = b.retailer_id and j.job_id = b.job_id
$$;

-- What is wrong with what a coupon says, apart from its form.
create or replace function pos.coupon_faults(document jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select pos.unknown_codes('/promotions', coupon_faults.document -> 'promotions', 'promotion',
               array(select p.promotion_id from pos.promotion p
                      where p.retailer_id = r.retailer_id and p.state <> 'archived' and coupon_faults.document -> 'promotions' ? p.promotion_id))
        || case when pos.instant(coupon_faults.document ->> 'until', r.timezone) <= pos.instant(coupon_faults.document ->> 'from', r.timezone)
                then jsonb_build_array(pos.usage_fault('/until', 'empty_window', 'it must be after from')) else '[]' end
      from pos.retailer r where r.retailer_id = pos.current_retailer()
$$;

-- One guess in 500 finds a code at most, those of earlier batches of the pattern
-- counted, but for batches that were never made: so many places must it have.
create or replace function pos.pattern_faults(pattern text, codes int) returns jsonb
language sql stable set search_path = ''
as $$
    select case when 19::numeric ^ (x.places - 1) >= 500 * x.codes then '[]'
                else jsonb_build_array(pos.usage_fault('/pattern', 'pattern_too_short',
                         format('%s codes of this pattern need %s # or they are guessed; it has %s', x.codes,
                                ceil(ln(500 * x.codes) / ln(19::numeric))::int + 1, x.places))) end
      from (select length(pattern) - length(replace(pattern, '#', '')) as places,
                   codes + coalesce((select sum(b.codes) from pos.coupon_batch b
                                       join pos.job j on j.retailer_id = b.retailer_id and j.job_id = b.job_id
                                      where b.retailer_id = pos.current_retailer() and b.pattern = pattern_faults.pattern
                                        and j.state not in ('failed', 'cancelled')), 0)::numeric as codes) x
$$;

-- create_coupon_batch: POST /v1/coupon-batches. posd makes the codes.
create or replace function api.create_coupon_batch(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me   bigint := pos.current_retailer();
    old  pos.response := pos.replayed(request);
    b    jsonb := '{"remaining": 1, "per_customer": null, "from": null, "until": null}'::jsonb || (request -> 'body');
    made text := pos.new_id('cbt');
    job  pos.job;
    the  pos.coupon_batch;
begin
    if old.status is not null then
        return old;
    end if;
    perform pos.refuse_fields(pos.pattern_faults(b ->> 'pattern', (b ->> 'count')::int) || pos.coupon_faults(b) || (
        select case when pos.instant(b ->> 'until', r.timezone) <= now()
                    then jsonb_build_array(pos.usage_fault('/until', 'in_the_past', 'its codes would be over already')) else '[]' end
          from pos.retailer r where r.retailer_id = me));
    insert into pos.job (retailer_id, job_id, kind, state, params, created_by)
    values (me, pos.new_id('job'), 'coupon_batch', 'queued', jsonb_build_object('batch', made), request #>> '{actor,key_id}')
    returning * into job;
    insert into pos.coupon_batch (retailer_id, batch_id, name, pattern, codes, document, state, job_id, created_by)
    values (me, made, b ->> 'name', b ->> 'pattern', (b ->> 'count')::int, b - '{name,pattern,count}'::text[], 'pending', job.job_id, job.created_by)
    returning * into the;
    perform pos.audited(request, 'create_coupon_batch', 'coupon_batch', made, null, pos.batch_resource(the));
    perform pg_notify('pos_job', job.job_id);
    return pos.remember(request, pos.answer(202, pos.job_resource(job) || jsonb_build_object('batch', made),
                                            jsonb_build_object('Location', '/v1/jobs/' || job.job_id)));
end
$$;

-- list_coupon_batches: GET /v1/coupon-batches, newest first
create or replace function api.list_coupon_batches(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.batch_id, 'doc', pos.batch_resource(t)) order by t.batch_id desc))
      from (select b.* from pos.coupon_batch b
             where b.retailer_id = pos.current_retailer() and b.batch_id < coalesce(nullif(pos.cursor_read(request), ''), 'cbt~')
             order by b.batch_id desc limit pos.page_limit(request) + 1) t
$$;

-- get_coupon_batch: GET /v1/coupon-batches/{id}
create or replace function api.get_coupon_batch(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select pos.batch_resource(b) from pos.coupon_batch b
          where b.retailer_id = pos.current_retailer() and b.batch_id = request #>> '{path,id}'),
        'coupon batch', request #>> '{path,id}')
$$;

-- export_coupon_batch: GET /v1/coupon-batches/{id}/codes. A page is at most 10,000
-- codes, so that memory is flat here and in nginx; pages put one after the other are one file.
create or replace function api.export_coupon_batch(request jsonb) returns pos.response
language plpgsql stable set search_path = ''
as $$
declare
    me    bigint := pos.current_retailer();
    the   text := request #>> '{path,id}';
    after text := pos.cursor_read(request);
    most  int := coalesce((request #>> '{query,limit}')::int, 10000);
    codes text[];
begin
    if not exists (select from pos.coupon_batch b where b.retailer_id = me and b.batch_id = the) then
        perform pos.refuse_not_found('coupon batch', the);
    end if;
    codes := array(select c.code from pos.coupon c
                    where c.retailer_id = me and c.batch_id = the and c.code > after order by c.code limit most + 1);
    return pos.answer(200,
        to_jsonb(case when after = '' then e'code\n' else '' end
                 || coalesce((select string_agg(c, e'\n' order by i) || e'\n' from unnest(codes[1:most]) with ordinality as x(c, i)), '')),
        jsonb_build_object('Content-Type', 'text/csv', 'Cache-Control', 'no-store')
        || case when cardinality(codes) > most then jsonb_build_object('Link',
               format('</v1/coupon-batches/%s/codes?limit=%s&after=%s>; rel="next"', pos.url_encode(the), most, pos.cursor_write(codes[most])))
           else '{}' end);
end
$$;

-- Ends the job of a batch that is still being made: who makes it can commit no
-- more. False: it has ended already.
create or replace function pos.batch_unmade(the pos.coupon_batch) returns boolean
language plpgsql set search_path = ''
as $$
begin
    update pos.job j set state = 'cancelled', finished_at = clock_timestamp(), lease = j.lease + 1
     where j.retailer_id = the.retailer_id and j.job_id = the.job_id and j.state in ('queued', 'running');
    if not found then
        return false;
    end if;
    perform pos.emit('coupon_batch.cancelled', 'job/' || the.job_id, jsonb_build_object('id', the.job_id));
    return true;
end
$$;

-- revoke_coupon_batch: POST /v1/coupon-batches/{id}/revoke. No code of it can be
-- reserved or committed from here on, and all leave the book in this one revision.
-- One that is being made has none in the book, whose lock its job may hold for long.
create or replace function api.revoke_coupon_batch(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    me    bigint := pos.current_retailer();
    old   pos.response := pos.replayed(request);
    the   pos.coupon_batch;
    was   jsonb;
    shows boolean;
    after jsonb;
begin
    if old.status is not null then
        return old;
    end if;
    select * into the from pos.coupon_batch b where b.retailer_id = me and b.batch_id = request #>> '{path,id}';
    if the.batch_id is null then
        perform pos.refuse_not_found('coupon batch', request #>> '{path,id}');
    end if;
    was := pos.batch_resource(the);
    if the.state <> 'pending' or not pos.batch_unmade(the) then
        perform pos.lock_book();
        select * into strict the from pos.coupon_batch b where b.retailer_id = me and b.batch_id = the.batch_id for update;
        was := pos.batch_resource(the);
    end if;
    perform pos.check_match(request, was);
    if was ->> 'state' in ('revoked', 'failed') then
        perform pos.refuse_state('coupon batch', was ->> 'state', '{}');
    end if;
    shows := the.in_book;
    update pos.coupon_batch b set state = 'revoked', in_book = false, revoked_at = now(), revoked_reason = request #>> '{body,reason}'
     where b.retailer_id = me and b.batch_id = the.batch_id returning * into the;
    after := pos.batch_resource(the);
    perform pos.audited(request, 'revoke_coupon_batch', 'coupon_batch', the.batch_id, was, after);
    perform pos.emit('coupon_batch.revoked', 'coupon_batch/' || the.batch_id,
        jsonb_strip_nulls(jsonb_build_object('id', the.batch_id, 'reason', the.revoked_reason)));
    if shows then
        perform pos.batch_changed(the);
    end if;
    return pos.remember(request, pos.answer(200, after, jsonb_build_object('ETag', pos.etag(after), 'Pos-Revision', pos.revision_name())));
end
$$;

-- The revision of a batch that the book shows from here on, or no more. Codes are
-- listed up to 5,000; above, the batch stands for them in log and history.
create or replace function pos.batch_changed(the pos.coupon_batch) returns void
language plpgsql set search_path = ''
as $$
begin
    if the.codes <= 5000 then
        perform pos.book_changed((select jsonb_agg(jsonb_build_array('coupon', c.code)) from pos.coupon c
                                   where c.retailer_id = the.retailer_id and c.batch_id = the.batch_id and c.revoked_at is null));
        return;
    end if;
    perform pos.book_changed(jsonb_build_array(jsonb_build_array('coupon_batch', the.batch_id)), true);
end
$$;

-- For posd, with the retailer set: what the job is to draw, and an empty table
-- pg_temp.coupon_code (code) of its session for what it draws.
create or replace function pos.open_coupon_batch(the_job text, out pattern text, out codes int)
language plpgsql set search_path = '' set client_min_messages = warning
as $$
begin
    drop table if exists pg_temp.coupon_code;
    create temporary table coupon_code (n int generated always as identity, code text collate "C") on commit preserve rows;
    select b.pattern, b.codes into strict pattern, codes
      from pos.job j join pos.coupon_batch b on b.retailer_id = j.retailer_id and b.batch_id = j.params ->> 'batch'
     where j.retailer_id = pos.current_retailer() and j.job_id = the_job;
end
$$;

-- For posd, with the retailer set: the drawn codes become coupons, in one revision,
-- and the job is done. More are drawn than are made, for those that came twice
-- or are there already. (The book's lock keeps others from making coupons meanwhile.)
create or replace function pos.make_coupon_batch(the_job text, the_lease bigint) returns jsonb
language plpgsql set search_path = '' set work_mem = '128MB' set client_min_messages = warning
as $$
declare
    me     bigint := pos.current_retailer();
    job    pos.job;
    the    pos.coupon_batch;
    made   int;
    answer jsonb;
begin
    select * into job from pos.job j
     where j.retailer_id = me and j.job_id = the_job and j.lease = the_lease and j.state = 'running';
    if job.job_id is null then
        perform pos.refuse('POS09', 'lease_lost', 'the job is no longer this worker''s');
    end if;
    analyze pg_temp.coupon_code;
    perform pos.lock_book();
    select * into strict the from pos.coupon_batch b where b.retailer_id = me and b.batch_id = job.params ->> 'batch';
    if the.state <> 'pending' then
        perform pos.refuse_state('coupon batch', the.state, '{}');
    end if;
    perform pos.refuse_fields(pos.coupon_faults(the.document));
    insert into pos.coupon (retailer_id, code, document, batch_id)
    select me, k.code, the.document || jsonb_build_object('code', k.code), the.batch_id
      from (select d.code from pg_temp.coupon_code d
             where not exists (select from pos.coupon o where o.retailer_id = me and o.code = d.code)
             group by d.code order by min(d.n) limit the.codes) k
     order by k.code;
    get diagnostics made = row_count;
    if made < the.codes then
        perform pos.refuse('POS09', 'pattern_used_up', format('the pattern %L has no %s codes left that are new', the.pattern, the.codes));
    end if;
    -- Until here whoever revokes it has it at once; from here on, when it is made.
    perform from pos.job j where j.retailer_id = me and j.job_id = the_job and j.lease = the_lease and j.state = 'running' for update;
    if not found then
        perform pos.refuse('POS09', 'lease_lost', 'the job is no longer this worker''s');
    end if;
    update pos.coupon_batch b set state = 'active', in_book = true where b.retailer_id = me and b.batch_id = the.batch_id
    returning * into the;
    perform pos.batch_changed(the);
    answer := jsonb_build_object('batch', the.batch_id, 'codes', made, 'revision', pos.revision_name());
    if not pos.finish_job(the_job, the_lease, 'succeeded', answer) then
        perform pos.refuse('POS09', 'lease_lost', 'the job is no longer this worker''s');
    end if;
    return answer;
end
$$;

reset role;
