-- How long experiments ran and how they ended, and which of them orders were part of.

set local role pos_owner;

alter table pos.experiment add column started_at timestamptz not null default now();

-- An experiment that is over has left the book. Without a winner it was only stopped.
create table pos.experiment_ended (
    retailer_id bigint not null references pos.retailer,
    code        text collate "C" not null,
    document    jsonb not null check (document ->> 'code' = code),
    started_at  timestamptz not null,
    ended_at    timestamptz not null default now(),
    winner      text,
    reason      text,
    ended_by    text,
    primary key (retailer_id, code)
);

-- {code: arm} of the experiments that the order's quote named, and the session that it
-- was quoted for.
alter table pos.order_history
    add column session text,
    add column experiments jsonb not null default '{}' check (jsonb_typeof(experiments) = 'object');

-- The same by experiment, in order of time: what its results are read by.
create table pos.exposure (
    retailer_id bigint not null,
    code        text collate "C" not null,
    ordered_at  timestamptz not null,
    order_id    text collate "C" not null,
    arm         text not null,
    primary key (retailer_id, code, ordered_at, order_id),
    foreign key (retailer_id, order_id) references pos.order_history on delete cascade
);
create index exposure_of_order on pos.exposure (retailer_id, order_id);

do $$
declare
    t text;
begin
    foreach t in array array['experiment_ended', 'exposure'] loop
        execute format('alter table pos.%I enable row level security', t);
        execute format('alter table pos.%I force row level security', t);
        execute format('create policy tenant on pos.%I using (retailer_id = pos.current_retailer())', t);
        execute format('grant select, insert, update, delete on pos.%I to pos_api, pos_daemon', t);
    end loop;
end
$$;

-- Whoever writes an order, its exposures follow.
create function pos.order_exposed() returns trigger
language plpgsql set search_path = ''
as $$
begin
    delete from pos.exposure e where e.retailer_id = new.retailer_id and e.order_id = new.order_id;
    insert into pos.exposure (retailer_id, code, ordered_at, order_id, arm)
    select new.retailer_id, x.key, new.ordered_at, new.order_id, x.value from jsonb_each_text(new.experiments) x;
    return null;
end
$$;

create trigger order_exposed after insert on pos.order_history
   for each row when (new.experiments <> '{}') execute function pos.order_exposed();
create trigger order_exposed_again after update on pos.order_history
   for each row when (old.experiments <> new.experiments or old.experiments <> '{}' and old.ordered_at <> new.ordered_at)
   execute function pos.order_exposed();

reset role;
