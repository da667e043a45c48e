-- The life of a promotion: reviews of its versions, what was published when, and
-- the times it was published for.

set local role pos_owner;

-- `schedule`: {"from", "until"} as published, over the document's own `active`.
alter table pos.promotion
    add column schedule jsonb check (jsonb_typeof(schedule) = 'object');

-- A review is of one version. Who asked for it, and who decided.
create table pos.promotion_review (
    retailer_id  bigint not null,
    promotion_id text collate "C" not null,
    version      int not null,
    state        text not null check (state in ('requested', 'approved', 'rejected')),
    submitted_by text,
    submitted_at timestamptz not null default now(),
    note         text,
    decided_by   text,
    decided_at   timestamptz,
    reason       text,
    primary key (retailer_id, promotion_id, version),
    foreign key (retailer_id, promotion_id, version) references pos.promotion_version deferrable initially deferred,
    check ((state = 'requested') = (decided_at is null))
);

-- What was published, by whom, for when, and which warnings were acknowledged.
-- `ordinal` counts a promotion's publications.
create table pos.promotion_publication (
    retailer_id  bigint not null,
    promotion_id text collate "C" not null,
    ordinal      int not null check (ordinal > 0),
    version      int not null,
    schedule     jsonb,
    acknowledged text[] not null default '{}',
    published_by text,
    reason       text,
    at           timestamptz not null default now(),
    primary key (retailer_id, promotion_id, ordinal),
    foreign key (retailer_id, promotion_id, version) references pos.promotion_version deferrable initially deferred
);

do $$
declare
    t text;
begin
    foreach t in array array['promotion_review', 'promotion_publication'] loop
        execute format('alter table pos.%I enable row level security', t);
        execute format('alter table pos.%I force row level security', t);
        execute format('create policy tenant on pos.%I using (retailer_id = pos.current_retailer())', t);
    end loop;
end
$$;

-- A publication is only ever added; a review is decided, and asked for again.
grant select, insert, update on pos.promotion_review to pos_api, pos_daemon;
grant select, insert on pos.promotion_publication to pos_api, pos_daemon;

reset role;
