-- What quotes did with promotions, day by day of the retailer's clock.

set local role pos_owner;

-- Counted by nginx's workers, which add what they saw each second. `script_ns` is
-- what its script took, of all quotes together.
create table pos.promotion_stat (
    retailer_id   bigint not null references pos.retailer,
    promotion_id  text collate "C" not null,
    day           date not null,
    currency      text collate "C" not null check (currency ~ '^[A-Z]{3}$'),
    evaluated     bigint not null check (evaluated >= 0),
    applied       bigint not null check (applied between 0 and evaluated),
    discount      bigint not null check (discount >= 0),
    script_errors bigint not null check (script_errors >= 0),
    script_ns     bigint not null check (script_ns >= 0),
    updated_at    timestamptz not null default now(),
    primary key (retailer_id, promotion_id, day, currency),
    foreign key (retailer_id, promotion_id) references pos.promotion
);
alter table pos.promotion_stat enable row level security;
alter table pos.promotion_stat force row level security;
create policy tenant on pos.promotion_stat using (retailer_id = pos.current_retailer());
grant select, insert, update, delete on pos.promotion_stat to pos_api, pos_daemon;

-- The highest share of a limit, in per cent, of which an event told, and the limit
-- it was of: a limit that is raised tells anew.
alter table pos.usage_counter
    add column told      smallint not null default 0 check (told in (0, 50, 80, 100)),
    add column told_most bigint;

reset role;
