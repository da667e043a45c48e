-- What was sold, as far as back-tests need it, and the back-tests over it.

set local role pos_owner;

-- One past order. Its lines stand in arrays of one length, so that a back-test reads
-- a million of them without parsing: what was bought (thousandths; less than nothing
-- is a return), the price a unit, what came off the line in all, and what a unit cost
-- where that is known.
create table pos.order_history (
    retailer_id     bigint not null references pos.retailer,
    order_id        text collate "C" not null,
    ordered_at      timestamptz not null,
    store           text,
    channel         text,
    customer        text,
    customer_groups text[] not null default '{}',
    coupons         text[] not null default '{}',
    currency        text not null,
    discount_amount bigint not null default 0,
    total_amount    bigint,
    line_sku             text[] not null,
    line_quantity        bigint[] not null,
    line_price_amount    bigint[] not null,
    line_discount_amount bigint[] not null,
    line_cost_amount     bigint[] not null,
    primary key (retailer_id, order_id),
    check (cardinality(line_sku) = cardinality(line_quantity) and cardinality(line_sku) = cardinality(line_price_amount)
           and cardinality(line_sku) = cardinality(line_discount_amount) and cardinality(line_sku) = cardinality(line_cost_amount))
);
create index order_history_at on pos.order_history (retailer_id, ordered_at, order_id);

-- `params` is what was asked for, all defaults said; `result` is the same for the same
-- orders, version and book; `run` is how it went this time.
create table pos.backtest (
    retailer_id  bigint not null,
    backtest_id  text collate "C" not null,
    promotion_id text collate "C" not null,
    version      int not null,
    params       jsonb not null check (jsonb_typeof(params) = 'object'),
    job_id       text collate "C" not null,
    result       jsonb,
    run          jsonb,
    created_by   text,
    created_at   timestamptz not null default now(),
    primary key (retailer_id, backtest_id),
    foreign key (retailer_id, promotion_id, version) references pos.promotion_version,
    foreign key (retailer_id, job_id) references pos.job
);
create index backtest_of on pos.backtest (retailer_id, promotion_id, backtest_id);
create index backtest_job on pos.backtest (retailer_id, job_id);

do $$
declare
    t text;
begin
    foreach t in array array['order_history', 'backtest'] loop
        execute format('alter table pos.%I enable row level security', t);
        execute format('alter table pos.%I force row level security', t);
        execute format('create policy tenant on pos.%I using (retailer_id = pos.current_retailer())', t);
        execute format('grant select, insert, update on pos.%I to pos_api, pos_daemon', t);
    end loop;
end
$$;

reset role;
