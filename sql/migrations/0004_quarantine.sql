-- Promotion versions by their script's source, for posd to find those that a
-- quarantined one belongs to.

set local role pos_owner;

-- convert_to is not immutable, since a conversion between encodings may be
-- redefined; from UTF-8 to UTF-8 there is none.
create function pos.source_hash(script text) returns bytea
language sql immutable parallel safe set search_path = ''
as $$ select sha256(convert_to(script, 'UTF8')) $$;

-- `source` is the SHA-256 that the sandbox knows the script by. A column, since row
-- level security keeps an index on an expression from being used.
alter table pos.promotion_version
    add column source bytea generated always as (pos.source_hash(script)) stored;

create index promotion_source on pos.promotion_version (retailer_id, source) where source is not null;

reset role;
