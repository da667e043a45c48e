-- What surrounds the book: exactly-once requests, jobs, events, the audit.

set local role pos_owner;

-- `key_hash` is the SHA-256 of the client's Idempotency-Key. A row without a
-- status never commits: the answer is stored in the work's own transaction.
create table pos.idempotency (
    retailer_id  bigint not null references pos.retailer,
    key_hash     bytea not null check (length(key_hash) = 32),
    request_hash text not null,
    status       int,
    body         jsonb,
    headers      jsonb,
    created_at   timestamptz not null default now(),
    touched_at   timestamptz not null default now(),
    primary key (retailer_id, key_hash)
);
create index on pos.idempotency (retailer_id, created_at);

-- `lease` is a fencing token: whoever took the job last holds it until
-- `leased_until`; every later word about the job names it.
create table pos.job (
    retailer_id  bigint not null references pos.retailer,
    job_id       text collate "C" not null,
    kind         text not null check (kind in ('import')),
    state        text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    params       jsonb not null default '{}',
    progress     jsonb not null default '{}',
    result       jsonb,
    attempts     int not null default 0,
    lease        bigint not null default 0,
    leased_until timestamptz,
    created_by   text,
    created_at   timestamptz not null default now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    primary key (retailer_id, job_id)
);
create index job_waiting on pos.job (created_at) where state in ('queued', 'running');

-- The outbox. `version` counts an aggregate's events without gaps, taken under
-- the aggregate's lock. `seq` is given by posd after commit, in one place.
create table pos.event (
    retailer_id bigint not null references pos.retailer,
    aggregate   text collate "C" not null,
    version     bigint not null check (version > 0),
    id          text collate "C" not null,
    type        text not null,
    data        jsonb not null,
    seq         bigint,
    at          timestamptz not null default now(),
    primary key (retailer_id, aggregate, version),
    unique (retailer_id, id),
    unique (retailer_id, seq)
);
create index event_unnumbered on pos.event (at) where seq is null;

-- Who did what to what, before and after, in the change's own transaction.
create table pos.audit (
    retailer_id bigint not null references pos.retailer,
    audit_id    text collate "C" not null,
    actor       text,
    operation   text not null,
    kind        text not null,
    key         text not null,
    before      jsonb,
    after       jsonb,
    request_id  text,
    at          timestamptz not null default now(),
    primary key (retailer_id, audit_id)
);
create index on pos.audit (retailer_id, kind, key, audit_id);

do $$
declare
    t text;
begin
    foreach t in array array['idempotency', 'job', 'event', 'audit'] loop
        execute format('alter table pos.%I enable row level security', t);
        execute format('alter table pos.%I force row level security', t);
        execute format('create policy tenant on pos.%I using (retailer_id = pos.current_retailer())', t);
    end loop;
end
$$;

-- posd takes jobs and numbers events of all retailers.
create policy daemon on pos.job to pos_daemon using (true);
create policy daemon on pos.event to pos_daemon using (true);

grant select, insert, update, delete on pos.idempotency to pos_api, pos_daemon;
grant select, insert, update on pos.job to pos_api, pos_daemon;
grant select, insert on pos.event, pos.audit to pos_api, pos_daemon;
grant update (seq) on pos.event to pos_daemon;

reset role;
