-- Coupons as a retailer needs them: batches of codes, what revokes a code, and
-- the counting of what orders use of coupons and of promotions' limits.

set local role pos_owner;

-- What may be a job's kind is what posd knows to do.
alter table pos.job drop constraint job_kind_check,
    add constraint job_kind_check check (kind ~ '^[a-z]+(_[a-z]+)*$');

-- Codes made together. `document` is what each code's coupon says but its code.
-- `in_book`: whether the book shows its codes, which turns with one revision;
-- `state` is how it stands with the retailer, at once.
create table pos.coupon_batch (
    retailer_id    bigint not null references pos.retailer,
    batch_id       text collate "C" not null,
    name           text,
    pattern        text not null,
    codes          int not null check (codes between 1 and 1000000),
    document       jsonb not null check (jsonb_typeof(document) = 'object'),
    state          text not null check (state in ('pending', 'active', 'revoked')),
    in_book        boolean not null default false,
    job_id         text collate "C" not null,
    created_by     text,
    created_at     timestamptz not null default now(),
    revoked_at     timestamptz,
    revoked_reason text,
    primary key (retailer_id, batch_id),
    foreign key (retailer_id, job_id) references pos.job,
    check ((state = 'revoked') = (revoked_at is not null))
);

-- No foreign keys to the batch and the retailer: a million checks each, half of the
-- time that a million codes take, of what is never deleted. A revoked code stays, so
-- that nothing else ever gets its name.
alter table pos.coupon
    drop constraint coupon_retailer_id_fkey,
    add column batch_id       text collate "C",
    add column revoked_at     timestamptz,
    add column revoked_reason text,
    add column created_at     timestamptz not null default now();
create index coupon_of_batch on pos.coupon (retailer_id, batch_id, code) where batch_id is not null;

-- What an order, or a cart in a slow checkout, takes of coupons and of limits.
-- `usage_id` is the order's or cart's own; `content` is what it asked for.
create table pos.usage (
    retailer_id bigint not null references pos.retailer,
    usage_id    text collate "C" not null,
    state       text not null check (state in ('held', 'committed', 'released')),
    content     jsonb not null check (jsonb_typeof(content) = 'object'),
    expires_at  timestamptz,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    primary key (retailer_id, usage_id),
    check ((state = 'held') = (expires_at is not null))
);

-- One counter, named as a quote's inputs name it: of a coupon (its code in upper
-- case) or of a promotion, in orders, uses or minor units; of all, or of the
-- customer or store `subject`; for ever (`span` none) or in the day, week or
-- month of the retailer's clock that begins on `since`.
create table pos.usage_counter (
    retailer_id bigint not null references pos.retailer,
    kind        text collate "C" not null check (kind in ('coupon', 'promotion')),
    name        text collate "C" not null,
    of          text collate "C" not null check (of in ('orders', 'uses', 'amount')),
    per         text collate "C" not null check (per in ('all', 'customer', 'store')),
    subject     text collate "C" not null check ((per = 'all') = (subject = '')),
    span        text collate "C" not null check (span in ('none', 'day', 'week', 'month')),
    since       date not null check (span <> 'none' or since = '1970-01-01'),
    used        bigint not null default 0 check (used >= 0),
    reserved    bigint not null default 0 check (reserved >= 0),
    primary key (retailer_id, kind, name, of, per, subject, span, since)
);

-- The journal: what each usage took of each counter. A line changes only under
-- its counter's lock, so that always, of each counter,
--   reserved = the sum of its lines that are held
--   used     = the sum of its lines that are committed
create table pos.usage_line (
    retailer_id bigint not null,
    usage_id    text collate "C" not null,
    kind        text collate "C" not null,
    name        text collate "C" not null,
    of          text collate "C" not null,
    per         text collate "C" not null,
    subject     text collate "C" not null,
    span        text collate "C" not null,
    since       date not null,
    quantity    bigint not null check (quantity > 0),
    state       text not null check (state in ('held', 'committed', 'released', 'expired')),
    expires_at  timestamptz,
    primary key (retailer_id, usage_id, kind, name, of, per, subject, span, since),
    foreign key (retailer_id, usage_id) references pos.usage,
    foreign key (retailer_id, kind, name, of, per, subject, span, since) references pos.usage_counter,
    check (state <> 'held' or expires_at is not null)
);
create index usage_line_held on pos.usage_line (retailer_id, kind, name, of, per, subject, span, since, expires_at)
    where state = 'held';
create index usage_line_overdue on pos.usage_line (expires_at) where state = 'held';

do $$
declare
    t text;
begin
    foreach t in array array['coupon_batch', 'usage', 'usage_counter', 'usage_line'] loop
        execute format('alter table pos.%I enable row level security', t);
        execute format('alter table pos.%I force row level security', t);
        execute format('create policy tenant on pos.%I using (retailer_id = pos.current_retailer())', t);
        execute format('grant select, insert, update on pos.%I to pos_api, pos_daemon', t);
    end loop;
end
$$;

-- posd finds with one query who has holds that are over.
create policy daemon on pos.usage_line for select to pos_daemon using (true);

reset role;
