-- The book's one way to change, and what the feed reads.

set local role pos_owner;

-- When it is live: the document's own times, and over them those it was published for.
create or replace function pos.promotion_active(document jsonb, schedule jsonb) returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    select case when schedule is null then nullif(document -> 'active', 'null')
                else coalesce(nullif(document -> 'active', 'null'), '{}') || schedule end
$$;

-- What the book carries of a published version.
create or replace function pos.promotion_row(document jsonb, summary jsonb, schedule jsonb) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select case when schedule is null then document::text
                else (document || jsonb_build_object('active', pos.promotion_active(summary, schedule)))::text end
$$;

-- The book's entities as the feed carries them. Views with their caller's
-- rights, so that row-level security holds and a cursor streams them.
create or replace view pos.book_small with (security_invoker = true) as
    select retailer_id, 'retailer'::text as kind, ''::text collate "C" as key,
           (document || jsonb_build_object('token_key', encode(token_key, 'hex')))::text as value
      from pos.retailer
    union all
    select k.retailer_id, 'key', k.hash,
           jsonb_build_object('id', k.key_id, 'hash', k.hash, 'retailer', k.retailer_id, 'mode', r.mode,
                              'scopes', k.scopes, 'store', k.store, 'revoked', k.revoked_at is not null,
                              'expires', to_char(k.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
      from pos.api_key k join pos.retailer r using (retailer_id)
    union all
    select retailer_id, 'store', code, document::text from pos.store
    union all
    select retailer_id, 'category', code, document::text from pos.category
    union all
    select retailer_id, 'price_list', code, document::text from pos.price_list
    union all
    select retailer_id, 'tax', region || '/' || lpad(ordinal::text, 6, '0'), document::text from pos.tax
    union all
    select p.retailer_id, 'promotion', p.promotion_id,
           case when p.schedule is null then v.document::text else pos.promotion_row(v.document, v.summary, p.schedule) end
      from pos.promotion p
      join pos.promotion_version v
        on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)
     where p.state in ('active', 'scheduled')
    union all
    select c.retailer_id, 'coupon', c.code, c.document::text
      from pos.coupon c left join pos.coupon_batch b using (retailer_id, batch_id)
     where c.revoked_at is null and b.in_book is not false
    union all
    select retailer_id, 'experiment', code, document::text from pos.experiment;

create or replace view pos.price_row with (security_invoker = true) as
    select retailer_id, sku, ordinal, list, kind, min_quantity, valid_from,
           jsonb_build_object('list', list, 'amount', price_amount, 'min_quantity', min_quantity, 'kind', kind,
               'from', to_char(valid_from at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'until', to_char(valid_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) as document
      from pos.price;

-- A product with all its prices: the replica's one record a SKU. Both sides
-- come in the order of their keys, so that a scan needs no sorting, and the
-- prices' text is put together without a jsonb for each: a million in seconds.
create or replace view pos.book_sku with (security_invoker = true) as
    select p.retailer_id, 'sku'::text as kind, p.sku as key,
           left(p.document::text, -1) || ', "prices": [' || coalesce(r.rows, '') || ']}' as value
      from pos.product p
      left join lateral (
          select string_agg('{"list": ' || to_json(w.list)::text || ', "kind": "' || w.kind || '", "amount": ' || w.price_amount
                            || ', "min_quantity": ' || w.min_quantity
                            || coalesce(', "from": "' || to_char(w.valid_from at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"', '')
                            || coalesce(', "until": "' || to_char(w.valid_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"', '')
                            || '}', ', ') as rows
            from (select x.* from pos.price x
                   where x.retailer_id = p.retailer_id and x.sku = p.sku order by x.ordinal) w) r on true;

grant select on pos.book_small, pos.book_sku, pos.price_row to pos_api, pos_daemon;

-- Called first by every function that is about to change the book, before it
-- looks at anything: the head's lock, held to commit. Writers of one retailer so
-- wait for each other here and nowhere else, while they hold nothing that another
-- waits for: an import of minutes and a change meanwhile cannot deadlock.
create or replace function pos.lock_book() returns void
language plpgsql set search_path = ''
as $$ begin perform from pos.revision r where r.retailer_id = pos.current_retailer() for update; end $$;

-- Called last by every function that changed the book: one transaction, one
-- retailer, one revision. `keys` are [kind, key] pairs; `bulk` says that they
-- are too many to list and the reader copies the retailer whole: the log then
-- has no keys ([]), and pg_temp.book_change (kind, key) has them here; or it has the
-- batch of coupons that stands for them, ["coupon_batch", id].
--
-- The head's row lock is held to commit, so revisions have no gaps and come in
-- commit order. The chain, which the log's rows alone prove:
--
--   hash(0) = 32 zero bytes
--   hash(n) = sha256( hash(n-1)             32 bytes
--                  || n                     8 bytes, big-endian
--                  || nonce                 16 random bytes
--                  || sha256(keys)          32 bytes; of the column's text, `keys::text` in UTF-8
--                  || digest )              32 bytes
--   digest  = sha256( sha256(row) of each changed row, in byte order of (kind, key), joined )
--   row     = kind || 0x1f || key || 0x1f || value      (value empty when the row is gone)
--
-- The nonce tells two histories apart that happen to say the same: a failover
-- that lost a commit, after which the same change was made again.
create or replace function pos.book_changed(keys jsonb, bulk boolean default false) returns bigint
language plpgsql set search_path = ''
as $$
declare
    me     bigint := pos.current_retailer();
    head   pos.revision;
    sorted jsonb := '[]';
    nonce  bytea := pos.random_bytes(16);
    digest bytea;
begin
    select * into strict head from pos.revision r where r.retailer_id = me for update;
    head.rev := head.rev + 1;
    if bulk and keys = '[]' then
        with added as (
            insert into pos.book_history as h (retailer_id, kind, key, rev, value)
            select me, c.kind, c.key, head.rev, s.value
              from pg_temp.book_change c
              left join lateral (select w.value from pos.book_sku w where w.retailer_id = me and w.key = c.key offset 0) s on true
             where c.kind = 'sku'
            union all
            select me, c.kind, c.key, head.rev, s.value
              from pg_temp.book_change c
              left join pos.book_small s on s.retailer_id = me and s.kind = c.kind and s.key = c.key
             where c.kind <> 'sku'
            returning h.kind, h.key, sha256(convert_to(h.kind || e'\x1f' || h.key || e'\x1f' || coalesce(h.value, ''), 'UTF8')) as row)
        select sha256(coalesce(string_agg(a.row, ''::bytea order by a.kind collate "C", a.key collate "C"), ''))
          into digest from added a;
    else
        select coalesce(jsonb_agg(jsonb_build_array(k.kind, k.key) order by k.kind, k.key), '[]') into sorted
          from (select distinct (e ->> 0) collate "C" as kind, (e ->> 1) collate "C" as key
                  from jsonb_array_elements(keys) e) k;
        with added as (
            insert into pos.book_history as h (retailer_id, kind, key, rev, value)
            select me, b.kind, b.key, head.rev, b.value from pos.book_rows(me, sorted) b
            returning h.kind, h.key, h.value)
        select sha256(coalesce(string_agg(
                   sha256(convert_to(a.kind || e'\x1f' || a.key || e'\x1f' || coalesce(a.value, ''), 'UTF8')),
                   ''::bytea order by a.kind collate "C", a.key collate "C"), ''))
          into digest from added a;
    end if;
    head.hash := sha256(head.hash || int8send(head.rev) || nonce || sha256(convert_to(sorted::text, 'UTF8')) || digest);
    insert into pos.revision_log (retailer_id, rev, hash, nonce, bulk, keys, digest)
    values (me, head.rev, head.hash, nonce, bulk, sorted, digest);
    update pos.revision r set rev = head.rev, hash = head.hash, at = now() where r.retailer_id = me;
    perform pg_notify('pos_book', me::text);
    return head.rev;
end
$$;

-- The current rows of the keys given; a null value: there is none.
--
-- A few keys out of what may be millions of rows, most of them another
-- retailer's: what this costs must not follow the tables' sizes. Statistics
-- cannot say so (they know the average retailer), hence each key's row is looked
-- up by itself (`offset 0` keeps the planner from turning the look-ups into one
-- join over all), and by index, whatever size a table had when the plan was made
-- that this function keeps.
create or replace function pos.book_rows(retailer bigint, keys jsonb)
returns table (kind text, key text, value text)
language plpgsql stable set search_path = '' set enable_seqscan = off
as $$
begin
    return query
    select k.kind, k.key, coalesce(s.value, b.value, case k.kind when 'coupon_batch' then pos.batch_value(retailer, k.key) end)
      from (select e ->> 0 as kind, (e ->> 1) collate "C" as key from jsonb_array_elements(keys) e) k
      left join lateral (
          select w.value from pos.book_sku w
           where w.retailer_id = retailer and w.key = k.key and k.kind = 'sku' offset 0) s on true
      left join lateral (
          select w.value from pos.book_small w
           where w.retailer_id = retailer and w.kind = k.kind and w.key = k.key and k.kind <> 'sku' offset 0) b on true;
end
$$;

-- All of a retailer, in byte order of (kind, key). For millions of SKUs declare
-- a cursor over pos.book_sku instead, which streams:
--   declare c cursor for select key, value from pos.book_sku where retailer_id = … order by key
create or replace function pos.book_scan_small(retailer bigint)
returns table (kind text, key text, value text)
language sql stable set search_path = ''
as $$
    select w.kind, w.key, w.value from pos.book_small w
     where w.retailer_id = retailer order by w.kind collate "C", w.key
$$;

create or replace function pos.book_scan_sku(retailer bigint)
returns table (kind text, key text, value text)
language sql stable set search_path = ''
as $$
    select w.kind, w.key, w.value from pos.book_sku w where w.retailer_id = retailer order by w.key
$$;

-- Where every retailer stands; posd's policy lets it read all heads. `no` is
-- the retailer's small number, for keys in the replica.
create or replace function pos.book_heads()
returns table (retailer_id bigint, no int, rev bigint, hash bytea)
language sql stable set search_path = ''
as $$ select r.retailer_id, r.retailer_id::int, r.rev, r.hash from pos.revision r order by r.retailer_id $$;

-- Which history of the database this is: the cluster's identifier and the
-- timeline it writes. A standby writes none: null.
create or replace function pos.book_epoch() returns text
language sql volatile set search_path = ''
as $$
    select case when not pg_is_in_recovery()
           then (select s.system_identifier::text from pg_control_system() s) || '-'
                || left(pg_walfile_name(pg_current_wal_lsn()), 8) end
$$;

-- A batch of coupons as history has it, for all its codes: what each says but its
-- code, and the digest of the codes. Null: the book does not show it.
create or replace function pos.batch_value(retailer bigint, batch text) returns text
language sql stable set search_path = ''
as $$
    select (b.document || jsonb_build_object('codes', b.codes, 'sha256', (
               select encode(sha256(convert_to(string_agg(c.code, e'\n' order by c.code), 'UTF8')), 'hex')
                 from pos.coupon c where c.retailer_id = b.retailer_id and c.batch_id = b.batch_id)))::text
      from pos.coupon_batch b where b.retailer_id = retailer and b.batch_id = batch and b.in_book
$$;

-- What changed in a retailer's book after one revision and up to another, each row as it
-- was last; a null value: it went. A batch's row stands for its codes, which are never
-- deleted; one that was changed by itself has its own rows after it.
create or replace function pos.book_between(retailer bigint, after_rev bigint, to_rev bigint)
returns table (kind text, key text, value text)
language sql stable set search_path = ''
as $$
    with past as (
        select h.kind, h.key, h.rev, h.value from pos.book_history h
         where h.retailer_id = retailer and h.rev > after_rev and h.rev <= to_rev
    ), said as (
        select p.kind, p.key, p.rev, p.value from past p where p.kind <> 'coupon_batch'
        union all
        select 'coupon', c.code, p.rev,
               case when p.value is not null then (p.value::jsonb - '{codes,sha256}'::text[] || jsonb_build_object('code', c.code))::text end
          from past p join pos.coupon c on c.retailer_id = retailer and c.batch_id = p.key
         where p.kind = 'coupon_batch'
    )
    select distinct on (s.kind, s.key) s.kind, s.key, s.value from said s order by s.kind, s.key, s.rev desc
$$;

-- The book of a retailer as it was at a revision.
create or replace function pos.book_at(retailer bigint, at_rev bigint)
returns table (kind text, key text, value text)
language sql stable set search_path = ''
as $$ select b.kind, b.key, b.value from pos.book_between(retailer, 0, at_rev) b where b.value is not null $$;

-- The revision as quotes name it: number and the start of its hash.
create or replace function pos.revision_name() returns text
language sql stable set search_path = ''
as $$
    select r.rev || '-' || left(encode(r.hash, 'hex'), 16) from pos.revision r where r.retailer_id = pos.current_retailer()
$$;

-- The end of an operation that put or removed one entity: audit, revision and
-- answer. A change that changes nothing makes no revision.
create or replace function pos.book_put(request jsonb, operation text, kind text, key text, feed_keys jsonb,
    before jsonb, after jsonb, location text default null) returns pos.response
language plpgsql set search_path = ''
as $$
declare
    headers jsonb := '{}';
begin
    if before is distinct from after then
        perform pos.audited(request, operation, kind, key, before, after);
        perform pos.book_changed(feed_keys);
    end if;
    headers := jsonb_build_object('Pos-Revision', pos.revision_name());
    if after is null then
        return pos.answer(204, null, headers);
    end if;
    headers := headers || jsonb_build_object('ETag', pos.etag(after));
    if before is null then
        return pos.answer(201, after, headers || jsonb_strip_nulls(jsonb_build_object('Location', location)));
    end if;
    return pos.answer(200, after, headers);
end
$$;

-- A retailer's settings with what is not said filled in.
create or replace function pos.retailer_settings(settings jsonb) returns jsonb
language sql immutable parallel safe set search_path = ''
as $$
    select '{"timezone": "UTC", "rounding": "half_up", "tax_rounding": "line", "optimise": "customer"}'::jsonb || settings
$$;

-- A new retailer row of one mode, empty, with its revision 0. Sets the
-- transaction's retailer to it.
create or replace function pos.new_retailer(settings jsonb, mode text, twin_of bigint) returns bigint
language plpgsql set search_path = ''
as $$
declare
    me bigint := nextval('pos.retailer_no');
begin
    perform set_config('pos.retailer', me::text, true);
    insert into pos.retailer (retailer_id, mode, twin_of, document, token_key)
    values (me, mode, twin_of, pos.retailer_settings(settings), pos.random_bytes(32));
    insert into pos.revision (retailer_id) values (me);
    return me;
end
$$;

-- A new key of the transaction's retailer; the secret is in the answer and
-- nowhere else. Does not make a revision.
create or replace function pos.new_key(name text, scopes text[], store text default null,
    expires_at timestamptz default null, created_by text default null)
returns table (key_id text, hash text, secret text)
language plpgsql set search_path = ''
as $$
declare
    made text := (select 'pos_' || r.mode || '_' from pos.retailer r where r.retailer_id = pos.current_retailer())
                 || lower(pos.base32(pos.random_bytes(24)));
begin
    return query
    insert into pos.api_key as k (retailer_id, key_id, hash, name, hint, scopes, store, expires_at, created_by)
    values (pos.current_retailer(), pos.new_id('key'), encode(sha256(convert_to(made, 'UTF8')), 'hex'), name,
            left(made, 9) || '…' || right(made, 4), scopes, store, expires_at, created_by)
    returning k.key_id, k.hash, made;
end
$$;

-- A retailer with its sandbox twin, each with an admin's and a storefront's
-- key: {"live": {"retailer_id", "admin", "storefront"}, "sandbox": {…}}.
-- `document` is the retailer's settings. For setting up; no operation.
create or replace function pos.create_retailer(document jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    live    bigint;
    me      bigint;
    of_mode text;
    admin   record;
    front   record;
    answer  jsonb := '{}';
begin
    foreach of_mode in array array['live', 'test'] loop
        me := pos.new_retailer(document, of_mode, live);
        live := coalesce(live, me);
        select * into admin from pos.new_key('admin', '{*}');
        select * into front from pos.new_key('storefront', '{quotes:create,prices:read}');
        perform pos.book_changed(jsonb_build_array(jsonb_build_array('retailer', ''), jsonb_build_array('key', admin.hash),
                                                   jsonb_build_array('key', front.hash)));
        answer := answer || jsonb_build_object(case of_mode when 'live' then 'live' else 'sandbox' end,
            jsonb_build_object('retailer_id', me, 'admin', admin.secret, 'storefront', front.secret));
    end loop;
    return answer;
end
$$;

-- The same for a shop that has nothing but a code yet: what build.sh calls.
-- {"live": {"admin", "storefront"}, "sandbox": {…}}
create or replace function pos.bootstrap_retailer(code text) returns jsonb
language sql set search_path = ''
as $$
    select a #- '{live,retailer_id}' #- '{sandbox,retailer_id}'
      from pos.create_retailer(jsonb_build_object('code', code, 'currency', 'GBP')) a
$$;

reset role;
