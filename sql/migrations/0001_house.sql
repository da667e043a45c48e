-- The house: roles, schemas, the tenant's setting and the answer's type.
--
-- pos_owner   owns everything, logs in never
-- pos_api     nginx: the api functions, and the tables under row-level security
-- pos_daemon  posd: the feed, jobs, and the book of one retailer at a time
--
-- Neither role that logs in owns a table or may bypass row-level security.

do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'pos_owner') then
        create role pos_owner nologin;
    end if;
    if not exists (select from pg_catalog.pg_roles where rolname = 'pos_api') then
        create role pos_api login;
    end if;
    if not exists (select from pg_catalog.pg_roles where rolname = 'pos_daemon') then
        create role pos_daemon login;
    end if;
    if not pg_catalog.pg_has_role(current_user, 'pos_owner', 'member') then
        execute format('grant pos_owner to %I', current_user);
    end if;
    -- Imports are staged in a temporary table of posd's session.
    execute format('grant temporary on database %I to pos_daemon', current_database());
end
$$;

create schema pos authorization pos_owner;
create schema api authorization pos_owner;
grant usage on schema pos, api to pos_api, pos_daemon;

alter default privileges for role pos_owner revoke execute on functions from public;
alter default privileges for role pos_owner in schema pos grant execute on functions to pos_api, pos_daemon;
alter default privileges for role pos_owner in schema api grant execute on functions to pos_api, pos_daemon;

set local role pos_owner;

-- What has been migrated; written by whoever migrates.
create table pos.migration (
    version  int primary key,
    name     text not null,
    checksum text not null,
    at       timestamptz not null default now()
);

-- The retailer of this transaction, set first in every pipeline. A body
-- resolved when it is created needs no search_path, and is inlined into every
-- policy, so that it costs a scan nothing.
create function pos.current_retailer() returns bigint
language sql stable parallel safe
return nullif(pg_catalog.current_setting('pos.retailer', true), '')::bigint;

-- What every api function returns: one HTTP answer.
create type pos.response as (status int, body jsonb, headers jsonb);

reset role;
