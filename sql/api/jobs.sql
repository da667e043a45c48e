-- Jobs: long work that posd does, and what it calls to do it.

set local role pos_owner;

-- A job as the API shows it.
create or replace function pos.job_resource(j pos.job) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('id', j.job_id, 'kind', j.kind, 'status', j.state, 'progress', j.progress, 'result', j.result,
        'created_at', pos.rfc3339(j.created_at), 'started_at', pos.rfc3339(j.started_at), 'finished_at', pos.rfc3339(j.finished_at))
$$;

-- list_jobs: GET /v1/jobs, newest first
create or replace function api.list_jobs(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_page(request, jsonb_agg(jsonb_build_object('key', t.job_id, 'doc', pos.job_resource(t)) order by t.job_id desc))
      from (select j.* from pos.job j
             where j.retailer_id = pos.current_retailer()
               and j.job_id < coalesce(nullif(pos.cursor_read(request), ''), 'job~')
               and (request #>> '{query,status}' is null or j.state = request #>> '{query,status}')
             order by j.job_id desc limit pos.page_limit(request) + 1) t
$$;

-- get_job: GET /v1/jobs/{id}
create or replace function api.get_job(request jsonb) returns pos.response
language sql stable set search_path = ''
as $$
    select pos.answer_resource(request,
        (select pos.job_resource(j) from pos.job j
          where j.retailer_id = pos.current_retailer() and j.job_id = request #>> '{path,id}'),
        'job', request #>> '{path,id}')
$$;

-- cancel_job: POST /v1/jobs/{id}/cancel. Whoever works on it loses the lease,
-- and with it the right to commit.
create or replace function api.cancel_job(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old pos.response := pos.replayed(request);
    the pos.job;
    was jsonb;
begin
    if old.status is not null then
        return old;
    end if;
    select * into the from pos.job j
     where j.retailer_id = pos.current_retailer() and j.job_id = request #>> '{path,id}' for update;
    if the.job_id is null then
        perform pos.refuse_not_found('job', request #>> '{path,id}');
    end if;
    if the.state not in ('queued', 'running') then
        perform pos.refuse_state('job', the.state, '{}');
    end if;
    was := pos.job_resource(the);
    update pos.job j set state = 'cancelled', finished_at = clock_timestamp(), lease = j.lease + 1
     where j.retailer_id = the.retailer_id and j.job_id = the.job_id returning * into the;
    perform pos.audited(request, 'cancel_job', 'job', the.job_id, was, pos.job_resource(the));
    perform pos.emit(the.kind || '.cancelled', 'job/' || the.job_id, jsonb_build_object('id', the.job_id));
    return pos.remember(request, pos.answer(200, pos.job_resource(the)));
end
$$;

-- create_import: POST /v1/imports. nginx has the body on disk; `prepared` (or
-- the body) names it: {spool, size, sha256}.
create or replace function api.create_import(request jsonb) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    old  pos.response := pos.replayed(request);
    file jsonb := case when request #> '{prepared,spool}' is not null then request -> 'prepared' else request -> 'body' end;
    the  pos.job;
begin
    if old.status is not null then
        return old;
    end if;
    insert into pos.job (retailer_id, job_id, kind, state, params, created_by)
    values (pos.current_retailer(), pos.new_id('job'), 'import', 'queued',
            jsonb_build_object('file', file -> 'spool', 'spool', file -> 'spool', 'size', file -> 'size', 'sha256', file -> 'sha256'),
            request #>> '{actor,key_id}')
    returning * into the;
    perform pos.audited(request, 'create_import', 'job', the.job_id, null, the.params);
    perform pg_notify('pos_job', the.job_id);
    return pos.remember(request, pos.answer(202, pos.job_resource(the), jsonb_build_object('Location', '/v1/jobs/' || the.job_id)));
end
$$;

-- For posd: the oldest job that waits, or whose worker went silent, of those that are
-- back-tests or of all others, since these have a process of their own. No row: none.
create or replace function pos.claim_job_of(backtests boolean, lease_seconds int)
returns table (retailer_id bigint, job_id text, kind text, params jsonb, lease bigint, attempts int)
language sql volatile set search_path = ''
as $$
    update pos.job j
       set state = 'running', lease = j.lease + 1, attempts = j.attempts + 1, started_at = coalesce(j.started_at, now()),
           leased_until = clock_timestamp() + make_interval(secs => lease_seconds)
     where (j.retailer_id, j.job_id) = (
           select w.retailer_id, w.job_id from pos.job w
            where (w.state = 'queued' or (w.state = 'running' and w.leased_until < clock_timestamp()))
              and (w.kind = 'backtest') = backtests
            order by w.created_at limit 1 for update skip locked)
    returning j.retailer_id, j.job_id, j.kind, j.params, j.lease, j.attempts
$$;

create or replace function pos.claim_job(lease_seconds int default 60)
returns table (retailer_id bigint, job_id text, kind text, params jsonb, lease bigint, attempts int)
language sql volatile set search_path = ''
as $$ select * from pos.claim_job_of(false, lease_seconds) $$;

create or replace function pos.claim_backtest(lease_seconds int default 60)
returns table (retailer_id bigint, job_id text, kind text, params jsonb, lease bigint, attempts int)
language sql volatile set search_path = ''
as $$ select * from pos.claim_job_of(true, lease_seconds) $$;

-- For posd: says how far it is and renews the lease. False: the job is no
-- longer this worker's (cancelled, final, or taken over).
create or replace function pos.job_progress(the_job text, the_lease bigint, progress jsonb, lease_seconds int default 60)
returns boolean
language sql volatile set search_path = ''
as $$
    with renewed as (
        update pos.job j
           set progress = job_progress.progress, leased_until = clock_timestamp() + make_interval(secs => lease_seconds)
         where j.job_id = the_job and j.lease = the_lease and j.state = 'running' returning 1)
    select exists (select from renewed)
$$;

-- For posd: the end of a job, in the work's own transaction where there is one.
-- False: the job is no longer this worker's; it must roll back. The work's
-- transaction may be minutes old: now() would be its beginning.
create or replace function pos.finish_job(the_job text, the_lease bigint, the_state text, the_result jsonb) returns boolean
language plpgsql set search_path = ''
as $$
declare
    the pos.job;
begin
    update pos.job j set state = the_state, result = the_result, finished_at = clock_timestamp(), leased_until = null
     where j.job_id = the_job and j.lease = the_lease and j.state = 'running' returning * into the;
    if the.job_id is null then
        return false;
    end if;
    perform set_config('pos.retailer', the.retailer_id::text, true);
    perform pos.emit(the.kind || case the_state when 'succeeded' then '.completed' else '.failed' end, 'job/' || the.job_id,
        jsonb_build_object('id', the.job_id) || case the_state when 'succeeded' then the_result else '{}' end);
    return true;
end
$$;

-- For posd: the job failed, for the reasons in `result`:
-- {"code", "detail", "errors": [{pointer, code, message}], "error_count"}.
create or replace function pos.fail_job(the_job text, the_lease bigint, result jsonb) returns boolean
language sql volatile set search_path = ''
as $$ select pos.finish_job(the_job, the_lease, 'failed', result) $$;

reset role;
