-- The book: all that a quote reads, its revisions and its history.
--
-- An entity is kept as the JSON document that the API takes and gives and that
-- the feed carries; what other rows point at, or what is counted, has a column
-- of its own. Codes are compared by bytes (collate "C"), as the replica does.

set local role pos_owner;

create sequence pos.retailer_no;

-- A retailer and its sandbox twin are two rows, apart in all data.
create table pos.retailer (
    retailer_id bigint primary key default nextval('pos.retailer_no'),
    mode        text not null check (mode in ('live', 'test')),
    twin_of     bigint references pos.retailer,
    document    jsonb not null check (jsonb_typeof(document) = 'object'),
    timezone    text not null generated always as (document ->> 'timezone') stored,
    token_key   bytea not null check (length(token_key) = 32),
    created_at  timestamptz not null default now(),
    check ((mode = 'test') = (twin_of is not null))
);

create table pos.api_key (
    retailer_id bigint not null references pos.retailer,
    key_id      text collate "C" not null,
    hash        text collate "C" not null check (hash ~ '^[0-9a-f]{64}$'),
    name        text not null,
    hint        text not null,
    scopes      text[] not null check (cardinality(scopes) > 0),
    store       text collate "C",
    expires_at  timestamptz,
    revoked_at  timestamptz,
    created_by  text,
    created_at  timestamptz not null default now(),
    primary key (retailer_id, key_id),
    unique (retailer_id, hash)
);

create table pos.store (
    retailer_id bigint not null references pos.retailer,
    code        text collate "C" not null,
    document    jsonb not null check (document ->> 'code' = code),
    primary key (retailer_id, code)
);

alter table pos.api_key add foreign key (retailer_id, store) references pos.store (retailer_id, code);

create table pos.category (
    retailer_id bigint not null references pos.retailer,
    code        text collate "C" not null,
    document    jsonb not null check (document ->> 'code' = code),
    parent      text collate "C" generated always as (document ->> 'parent') stored,
    primary key (retailer_id, code),
    foreign key (retailer_id, parent) references pos.category (retailer_id, code) deferrable initially deferred
);
create index on pos.category (retailer_id, parent);

create table pos.product (
    retailer_id bigint not null,
    sku         text collate "C" not null,
    document    jsonb not null check (document ->> 'sku' = sku),
    primary key (retailer_id, sku)
);

create table pos.price_list (
    retailer_id bigint not null references pos.retailer,
    code        text collate "C" not null,
    document    jsonb not null check (document ->> 'code' = code),
    primary key (retailer_id, code)
);

-- Several rows may share list, kind, quantity and time: the lowest wins.
-- `ordinal` numbers the rows of a SKU.
create table pos.price (
    retailer_id  bigint not null,
    sku          text collate "C" not null,
    ordinal      int not null,
    list         text collate "C" not null,
    kind         text not null check (kind in ('regular', 'sale')),
    min_quantity numeric not null check (min_quantity >= 0 and scale(min_quantity) <= 3),
    price_amount bigint not null check (price_amount >= 0),
    valid_from   timestamptz,
    valid_until  timestamptz,
    primary key (retailer_id, sku, ordinal),
    foreign key (retailer_id, sku) references pos.product on delete cascade,
    foreign key (retailer_id, list) references pos.price_list (retailer_id, code)
);

-- The rows of a region, in the order in which they apply.
create table pos.tax (
    retailer_id bigint not null references pos.retailer,
    region      text collate "C" not null,
    ordinal     int not null,
    document    jsonb not null,
    primary key (retailer_id, region, ordinal)
);

create table pos.promotion (
    retailer_id       bigint not null references pos.retailer,
    promotion_id      text collate "C" not null,
    state             text not null check (state in ('draft', 'in_review', 'scheduled', 'active', 'ended', 'suspended', 'archived')),
    version           int not null check (version > 0),
    published_version int,
    suspended_reason  text,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    primary key (retailer_id, promotion_id),
    check (published_version is not null or state in ('draft', 'in_review', 'archived'))
);

-- Versions are never changed. `document` is what the book carries (for a
-- script: its id and its source); `summary` is what it compiled to.
create table pos.promotion_version (
    retailer_id  bigint not null,
    promotion_id text collate "C" not null,
    version      int not null check (version > 0),
    document     jsonb not null,
    summary      jsonb not null,
    script       text,
    author       text,
    reason       text,
    created_at   timestamptz not null default now(),
    primary key (retailer_id, promotion_id, version),
    foreign key (retailer_id, promotion_id) references pos.promotion deferrable initially deferred
);

alter table pos.promotion
    add foreign key (retailer_id, promotion_id, version) references pos.promotion_version deferrable initially deferred,
    add foreign key (retailer_id, promotion_id, published_version) references pos.promotion_version deferrable initially deferred;

-- `code` is the coupon's code in upper case; the document has it as written.
create table pos.coupon (
    retailer_id bigint not null references pos.retailer,
    code        text collate "C" not null check (code = upper(code)),
    document    jsonb not null,
    primary key (retailer_id, code)
);

create table pos.experiment (
    retailer_id bigint not null references pos.retailer,
    code        text collate "C" not null,
    document    jsonb not null check (document ->> 'code' = code),
    primary key (retailer_id, code)
);

-- Where each retailer's chain of revisions stands. Revision 0 has 32 zero
-- bytes for a hash.
create table pos.revision (
    retailer_id bigint primary key references pos.retailer,
    rev         bigint not null default 0 check (rev >= 0),
    hash        bytea not null default decode(repeat('00', 32), 'hex') check (length(hash) = 32),
    at          timestamptz not null default now()
);

create table pos.revision_log (
    retailer_id bigint not null references pos.retailer,
    rev         bigint not null check (rev > 0),
    hash        bytea not null check (length(hash) = 32),
    nonce       bytea not null check (length(nonce) = 16),
    bulk        boolean not null,
    keys        jsonb not null check (jsonb_typeof(keys) = 'array'),
    digest      bytea not null check (length(digest) = 32),
    at          timestamptz not null default now(),
    primary key (retailer_id, rev)
);

-- What an entity was from a revision on, as the feed carried it; null: gone.
create table pos.book_history (
    retailer_id bigint not null,
    kind        text collate "C" not null,
    key         text collate "C" not null,
    rev         bigint not null,
    value       text,
    primary key (retailer_id, kind, key, rev)
);

-- Row-level security, forced on the owner too, by plain equality.
do $$
declare
    t text;
begin
    foreach t in array array['retailer', 'api_key', 'store', 'category', 'product', 'price_list', 'price', 'tax',
                             'promotion', 'promotion_version', 'coupon', 'experiment', 'revision', 'revision_log',
                             'book_history'] loop
        execute format('alter table pos.%I enable row level security', t);
        execute format('alter table pos.%I force row level security', t);
        execute format('create policy tenant on pos.%I using (retailer_id = pos.current_retailer())', t);
    end loop;
end
$$;

-- The feed reads every retailer's head with one query.
create policy feed on pos.revision for select to pos_daemon using (true);

grant select, update on pos.retailer to pos_api, pos_daemon;
grant insert on pos.retailer to pos_daemon;
grant usage on sequence pos.retailer_no to pos_daemon;
grant select, insert, update, delete
   on pos.store, pos.category, pos.product, pos.price_list, pos.price, pos.tax, pos.coupon, pos.experiment
   to pos_api, pos_daemon;
grant select, insert, update on pos.api_key, pos.promotion, pos.revision to pos_api, pos_daemon;
-- Only ever added to.
grant select, insert on pos.promotion_version, pos.revision_log, pos.book_history to pos_api, pos_daemon;

reset role;
