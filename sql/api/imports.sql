-- Imports: a book document, staged by posd in its own session, becomes one
-- revision, or a list of faults and no change.

set local role pos_owner;

-- For posd: an empty staging table, to be filled by
--   copy pg_temp.import_row (section, ordinal, code, value) from stdin
-- `section` is the document's member (`retailer` has one row), `ordinal` the
-- element's index from 0; a section that is present and empty has one row with
-- ordinal -1 and no value. Section `promotion_summaries` has, by the ordinal of
-- its promotion, the document that a script compiled to. (A table under
-- row-level security takes no COPY; this one is the session's own.) `code` is
-- what its table is keyed by: `sku` of products and prices, `id` of promotions,
-- `code` of all others, the coupons' in upper case.
create or replace function pos.open_import() returns void
language plpgsql set search_path = '' set client_min_messages = warning
as $$
begin
    drop table if exists pg_temp.import_row;
    create temporary table import_row (section text collate "C" not null, ordinal int not null, code text collate "C", value jsonb)
           on commit preserve rows;
end
$$;

-- Once all is staged: by section, so that a small one costs nothing beside a
-- million products; and how many each has.
create or replace function pos.close_import() returns void
language plpgsql set search_path = '' set maintenance_work_mem = '256MB' set client_min_messages = warning
as $$
begin
    create index if not exists import_row_section on pg_temp.import_row (section);
    analyze pg_temp.import_row;
    drop table if exists pg_temp.import_section;
    create temporary table import_section on commit drop as
    select r.section, count(*) filter (where r.ordinal >= 0) as n from pg_temp.import_row r group by r.section;
end
$$;

create or replace function pos.imports(the_section text) returns boolean
language plpgsql stable set search_path = ''
as $$ begin return exists (select from pg_temp.import_section s where s.section = the_section); end $$;

-- The small names that the book will have after the import.
create or replace function pos.import_names() returns void
language plpgsql set search_path = '' set client_min_messages = warning
as $$
declare
    me bigint := pos.current_retailer();
begin
    drop table if exists pg_temp.import_name;
    create temporary table import_name (section text collate "C", code text collate "C") on commit drop;
    insert into pg_temp.import_name
    select r.section, r.code from pg_temp.import_row r
     where r.section in ('stores', 'categories', 'price_lists', 'promotions', 'experiments') and r.ordinal >= 0
    union all select 'stores', s.code from pos.store s where s.retailer_id = me and not pos.imports('stores')
    union all select 'categories', c.code from pos.category c where c.retailer_id = me and not pos.imports('categories')
    union all select 'price_lists', l.code from pos.price_list l where l.retailer_id = me and not pos.imports('price_lists')
    union all select 'promotions', p.promotion_id from pos.promotion p
               where p.retailer_id = me and p.state <> 'archived' and not pos.imports('promotions');
    analyze pg_temp.import_name;
end
$$;

-- Price rows typed, times without an offset in the retailer's zone to be.
create or replace function pos.import_prices() returns void
language plpgsql set search_path = '' set client_min_messages = warning
as $$
declare
    zone text := coalesce((select r.value ->> 'timezone' from pg_temp.import_row r where r.section = 'retailer' and r.ordinal = 0),
                          (select r.timezone from pos.retailer r where r.retailer_id = pos.current_retailer()));
begin
    drop table if exists pg_temp.import_price;
    create temporary table import_price on commit drop as
    select r.ordinal, r.code as sku, (r.value ->> 'list') collate "C" as list,
           coalesce(r.value ->> 'kind', 'regular') as kind,
           coalesce(trim_scale((r.value ->> 'min_quantity')::numeric), 1) as min_quantity,
           (r.value ->> 'amount')::bigint as price_amount,
           case when r.value ->> 'from' is not null then pos.instant(r.value ->> 'from', zone) end as valid_from,
           case when r.value ->> 'until' is not null then pos.instant(r.value ->> 'until', zone) end as valid_until
      from pg_temp.import_row r where r.section = 'prices' and r.ordinal >= 0;
    analyze pg_temp.import_price;
end
$$;

-- What is wrong, all of it: {"errors": [the first 100], "error_count": n}.
create or replace function pos.import_faults() returns jsonb
language plpgsql set search_path = '' set work_mem = '128MB'
as $$
declare
    me     bigint := pos.current_retailer();
    answer jsonb;
begin
    with duplicate as (
        select r.section, r.code, min(r.ordinal) as first from pg_temp.import_row r
         where r.ordinal >= 0
           and r.section in ('stores', 'categories', 'products', 'price_lists', 'promotions', 'coupons', 'experiments', 'orders')
         group by r.section, r.code having count(*) > 1
    ), fault as (
        select r.section, r.ordinal,
               case r.section when 'promotions' then '/id' when 'orders' then '/id' when 'products' then '/sku' else '/code' end as field,
               'duplicate' as code, format('%L is at %s already', r.code, d.first) as message
          from duplicate d join pg_temp.import_row r on r.section = d.section and r.code = d.code and r.ordinal > d.first
        union all
        select 'categories', c.ordinal, '/parent', 'unknown_category', format('there is no category %L', c.value ->> 'parent')
          from pg_temp.import_row c where c.section = 'categories' and c.value ->> 'parent' is not null
           and not exists (select from pg_temp.import_name n where n.section = 'categories' and n.code = c.value ->> 'parent')
        union all
        select 'categories', x.ordinal, '/parent', 'category_cycle', 'a category cannot be below itself'
          from pos.import_cycles() x
        union all
        select 'products', p.ordinal, '/categories/' || (e.i - 1), 'unknown_category', format('there is no category %L', e.v)
          from pg_temp.import_row p,
               jsonb_array_elements_text(case jsonb_typeof(p.value -> 'categories') when 'array' then p.value -> 'categories' else '[]' end)
                   with ordinality as e(v, i)
         where p.section = 'products'
           and not exists (select from pg_temp.import_name n where n.section = 'categories' and n.code = e.v)
        union all
        select 'price_lists', l.ordinal, '/stores/' || (e.i - 1), 'unknown_store', format('there is no store %L', e.v)
          from pg_temp.import_row l,
               jsonb_array_elements_text(case jsonb_typeof(l.value -> 'stores') when 'array' then l.value -> 'stores' else '[]' end)
                   with ordinality as e(v, i)
         where l.section = 'price_lists'
           and not exists (select from pg_temp.import_name n where n.section = 'stores' and n.code = e.v)
        union all
        select 'coupons', c.ordinal, '/promotions/' || (e.i - 1), 'unknown_promotion', format('there is no promotion %L', e.v)
          from pg_temp.import_row c,
               jsonb_array_elements_text(case jsonb_typeof(c.value -> 'promotions') when 'array' then c.value -> 'promotions' else '[]' end)
                   with ordinality as e(v, i)
         where c.section = 'coupons'
           and not exists (select from pg_temp.import_name n where n.section = 'promotions' and n.code = e.v)
        union all
        -- Codes of batches are their batch's, and revoked ones stay what they are.
        select 'coupons', r.ordinal, '/code', case when c.batch_id is null then 'coupon_revoked' else 'coupon_of_batch' end,
               format('the coupon %L is %s', c.code, case when c.batch_id is null then 'revoked' else 'its batch''s' end)
          from pg_temp.import_row r join pos.coupon c on c.retailer_id = me and c.code = r.code
         where r.section = 'coupons' and r.ordinal >= 0 and (c.batch_id is not null or c.revoked_at is not null)
           and c.document <> r.value
        union all
        select 'prices', p.ordinal, '/sku', 'unknown_sku', format('there is no product %L', p.sku)
          from pg_temp.import_price p
         where not exists (
               select from (select r.code as sku from pg_temp.import_row r where r.section = 'products' and r.ordinal >= 0
                            union all
                            select o.sku from pos.product o where o.retailer_id = me and not pos.imports('products')) k
                where k.sku = p.sku)
        union all
        select 'prices', p.ordinal, '', 'duplicate', format('this price is at %s already: same SKU, list, kind, quantity and start', d.first)
          from (select sku, list, kind, min_quantity, valid_from, min(ordinal) as first from pg_temp.import_price
                 group by sku, list, kind, min_quantity, valid_from having count(*) > 1) d
          join pg_temp.import_price p on (p.sku, p.list, p.kind, p.min_quantity) = (d.sku, d.list, d.kind, d.min_quantity)
                                     and p.valid_from is not distinct from d.valid_from and p.ordinal > d.first
        union all
        select 'prices', p.ordinal, '/list', 'unknown_price_list', format('there is no price list %L', p.list)
          from pg_temp.import_price p
         where not exists (select from pg_temp.import_name n where n.section = 'price_lists' and n.code = p.list)
        union all
        select 'prices', p.ordinal, '/until', 'empty_period', 'it ends before it starts'
          from pg_temp.import_price p where p.valid_until <= p.valid_from
        union all
        select 'taxes', t.ordinal, '', 'duplicate', format('the tax %L of %L is there already: it would be taken twice', t.value ->> 'code', t.value ->> 'category')
          from (select r.ordinal, r.value, row_number() over (partition by r.value ->> 'region', r.value ->> 'category', r.value ->> 'code',
                           r.value #>> '{ship_to,country}', r.value #>> '{ship_to,region}' order by r.ordinal) as n
                  from pg_temp.import_row r where r.section = 'taxes' and r.ordinal >= 0) t
         where t.n > 1
        union all
        select e.section, e.ordinal, e.field, e.code, e.message from pos.experiment_faults() e
        union all
        -- What is not imported and would be left pointing at nothing.
        select 'categories', null, '', 'in_use', format('category %L is in use by the product %L', e.v, p.sku)
          from pos.product p, jsonb_array_elements_text(
                   case jsonb_typeof(p.document -> 'categories') when 'array' then p.document -> 'categories' else '[]' end) as e(v)
         where p.retailer_id = me and pos.imports('categories') and not pos.imports('products')
           and not exists (select from pg_temp.import_name n where n.section = 'categories' and n.code = e.v)
        union all
        select 'price_lists', null, '', 'in_use', format('price list %L has prices', l.code)
          from pos.price_list l
         where l.retailer_id = me and pos.imports('price_lists') and not pos.imports('prices')
           and not exists (select from pg_temp.import_name n where n.section = 'price_lists' and n.code = l.code)
           and exists (select from pos.price p where p.retailer_id = me and p.list = l.code)
        union all
        select 'stores', null, '', 'in_use', format('store %L is in use by the price list %L', e.v, l.code)
          from pos.price_list l, jsonb_array_elements_text(
                   case jsonb_typeof(l.document -> 'stores') when 'array' then l.document -> 'stores' else '[]' end) as e(v)
         where l.retailer_id = me and pos.imports('stores') and not pos.imports('price_lists')
           and not exists (select from pg_temp.import_name n where n.section = 'stores' and n.code = e.v)
        union all
        select 'stores', null, '', 'in_use', format('store %L is in use by the key %s', k.store, k.key_id)
          from pos.api_key k
         where k.retailer_id = me and pos.imports('stores') and k.store is not null
           and not exists (select from pg_temp.import_name n where n.section = 'stores' and n.code = k.store)
        union all
        -- A batch says so once for all its codes, but for those that were changed by themselves.
        select 'promotions', null, '', 'in_use', format('promotion %L is in use by the %s %L', e.v, c.what, c.name)
          from (select 'coupon' as what, x.code as name, x.document from pos.coupon x
                 where x.retailer_id = me and x.batch_id is null and x.revoked_at is null and not pos.imports('coupons')
                union all
                select 'coupon', x.code, x.document from pos.coupon x join pos.coupon_batch b using (retailer_id, batch_id)
                 where x.retailer_id = me and b.in_book and x.revoked_at is null and x.document - 'code' <> b.document
                union all
                select 'coupon batch', b.batch_id, b.document from pos.coupon_batch b where b.retailer_id = me and b.in_book) c,
               jsonb_array_elements_text(
                   case jsonb_typeof(c.document -> 'promotions') when 'array' then c.document -> 'promotions' else '[]' end) as e(v)
         where pos.imports('promotions')
           and not exists (select from pg_temp.import_name n where n.section = 'promotions' and n.code = e.v)
        union all
        select r.section, case r.section when 'stores' then r.ordinal end, '/timezone', 'unknown_timezone',
               'this is no time zone of the IANA database'
          from pg_temp.import_row r
         where (r.section = 'stores' or r.section = 'retailer' and r.ordinal = 0)
           and not pos.known_timezone(coalesce(r.value ->> 'timezone', 'UTC'))
    ), numbered as (
        select f.*, row_number() over (order by f.section, f.ordinal nulls first, f.field) as n from fault f
    )
    select jsonb_build_object('error_count', count(*), 'errors', coalesce(jsonb_agg(jsonb_build_object(
               'pointer', '/' || n.section || coalesce('/' || n.ordinal, '') || n.field, 'code', n.code, 'message', n.message)
               order by n.n) filter (where n.n <= 100), '[]'))
      into answer from numbered n;
    return answer;
end
$$;

-- The imported categories that no root leads to: they are in a ring, or below one.
create or replace function pos.import_cycles() returns table (ordinal int)
language plpgsql stable set search_path = ''
as $$
begin
    return query
    with recursive c as (
        select r.ordinal, r.value ->> 'code' as code, r.value ->> 'parent' as parent
          from pg_temp.import_row r where r.section = 'categories' and r.ordinal >= 0
    ), reached(code) as (
        select c.code from c where c.parent is null or not exists (select from c up where up.code = c.parent)
        union
        select c.code from c join reached r on c.parent = r.code
    )
    select c.ordinal from c where not exists (select from reached r where r.code = c.code);
end
$$;

-- Puts the rows of one section and notes what changed. What is the same is not
-- touched at all. The head's lock, held since before anything was looked at,
-- lets no other change of this book commit in between.
create or replace function pos.import_put(the_section text, the_table text, column_name text, the_kind text) returns void
language plpgsql set search_path = '' set work_mem = '128MB'
as $$
begin
    execute format($q$
        with put as (
            update pos.%1$I t set document = r.value - 'prices'
              from pg_temp.import_row r
             where r.section = %3$L and r.ordinal >= 0 and t.retailer_id = pos.current_retailer() and t.%2$I = r.code
               and t.document <> r.value - 'prices'
            returning t.%2$I as code)
        insert into pg_temp.book_change select %4$L, p.code from put p
    $q$, the_table, column_name, the_section, the_kind);
    execute format($q$
        with put as (
            insert into pos.%1$I as t (retailer_id, %2$I, document)
            select pos.current_retailer(), r.code, r.value - 'prices' from pg_temp.import_row r
             where r.section = %3$L and r.ordinal >= 0
               and not exists (select from pos.%1$I o where o.retailer_id = pos.current_retailer() and o.%2$I = r.code)
            returning t.%2$I as code)
        insert into pg_temp.book_change select %4$L, p.code from put p
    $q$, the_table, column_name, the_section, the_kind);
end
$$;

-- Deletes what the section no longer has, and notes it. Codes of batches are
-- their batch's, and revoked ones stay what they are.
create or replace function pos.import_prune(the_section text, the_table text, column_name text, the_kind text) returns void
language plpgsql set search_path = '' set work_mem = '128MB'
as $$
begin
    if not pos.imports(the_section) then
        return;
    end if;
    execute format($q$
        with gone as (
            delete from pos.%1$I t
             where t.retailer_id = pos.current_retailer()
               and not exists (select from pg_temp.import_row r where r.section = %3$L and r.ordinal >= 0 and r.code = t.%2$I) %5$s
            returning t.%2$I)
        insert into pg_temp.book_change select %4$L, g.%2$I from gone g
    $q$, the_table, column_name, the_section, the_kind,
        case the_section when 'coupons' then 'and t.batch_id is null and t.revoked_at is null' else '' end);
end
$$;

-- The prices section: only SKUs whose rows differ are touched.
create or replace function pos.import_put_prices() returns void
language plpgsql set search_path = '' set work_mem = '128MB' set client_min_messages = warning
as $$
declare
    me bigint := pos.current_retailer();
begin
    if not pos.imports('prices') then
        return;
    end if;
    drop table if exists pg_temp.price_change;
    create temporary table price_change on commit drop as
    with new as (
        select p.sku, p.list, p.kind, p.min_quantity, p.price_amount, p.valid_from, p.valid_until,
               row_number() over (partition by p.sku order by p.ordinal) as n
          from pg_temp.import_price p
    ), old as (
        select p.sku, p.list, p.kind, p.min_quantity, p.price_amount, p.valid_from, p.valid_until,
               row_number() over (partition by p.sku order by p.ordinal) as n
          from pos.price p where p.retailer_id = me
    )
    select distinct coalesce(n.sku, o.sku) as sku from new n full join old o on n.sku = o.sku and n.n = o.n
     where (n.list, n.kind, n.min_quantity, n.price_amount, n.valid_from, n.valid_until)
           is distinct from (o.list, o.kind, o.min_quantity, o.price_amount, o.valid_from, o.valid_until);
    analyze pg_temp.price_change;
    delete from pos.price p using pg_temp.price_change c where p.retailer_id = me and p.sku = c.sku;
    insert into pos.price (retailer_id, sku, ordinal, list, kind, min_quantity, price_amount, valid_from, valid_until)
    select me, p.sku, p.ordinal + 1, p.list, p.kind, p.min_quantity, p.price_amount, p.valid_from, p.valid_until
      from pg_temp.import_price p join pg_temp.price_change c on c.sku = p.sku;
    insert into pg_temp.book_change select 'sku', c.sku from pg_temp.price_change c;
end
$$;

create or replace function pos.import_put_taxes() returns void
language plpgsql set search_path = ''
as $$
declare
    me bigint := pos.current_retailer();
begin
    if not pos.imports('taxes') then
        return;
    end if;
    with new as (
        select coalesce(r.value ->> 'region', '') as region, r.value as document,
               row_number() over (partition by coalesce(r.value ->> 'region', '') order by r.ordinal)::int as ordinal
          from pg_temp.import_row r where r.section = 'taxes' and r.ordinal >= 0
    ), gone as (
        delete from pos.tax t
         where t.retailer_id = me and not exists (select from new n where n.region = t.region and n.ordinal = t.ordinal)
        returning t.region, t.ordinal
    ), put as (
        insert into pos.tax as t (retailer_id, region, ordinal, document)
        select me, n.region, n.ordinal, n.document from new n
        on conflict (retailer_id, region, ordinal) do update set document = excluded.document
              where t.document is distinct from excluded.document
        returning t.region, t.ordinal
    )
    insert into pg_temp.book_change
    select 'tax', pos.tax_key(c.region, c.ordinal) ->> 1 from (select * from gone union all select * from put) c;
end
$$;

-- The promotions section: what differs from what is live becomes a new version
-- and is published; live ones that are not in it are archived.
create or replace function pos.import_put_promotions(author text, reason text) returns void
language plpgsql set search_path = ''
as $$
declare
    me bigint := pos.current_retailer();
    p  record;
begin
    if not pos.imports('promotions') then
        return;
    end if;
    for p in
        select r.code as id, r.value as document, coalesce(s.value, r.value) as summary, r.value ->> 'script' as script
          from pg_temp.import_row r
          left join pg_temp.import_row s on s.section = 'promotion_summaries' and s.ordinal = r.ordinal
         where r.section = 'promotions' and r.ordinal >= 0
           and not exists (select from pos.promotion o join pos.promotion_version v
                               on (v.retailer_id, v.promotion_id, v.version) = (o.retailer_id, o.promotion_id, o.published_version)
                            where o.retailer_id = me and o.promotion_id = r.code and o.state = 'active'
                              and o.schedule is null and v.document = r.value)
         order by r.code
    loop
        perform pos.new_version(p.id, p.document, p.summary, p.script, author, reason);
        update pos.promotion o set state = 'active', suspended_reason = null, schedule = null, published_version = o.version
         where o.retailer_id = me and o.promotion_id = p.id;
        perform pos.publication_kept(o, '{}', author, import_put_promotions.reason)
           from pos.promotion o where o.retailer_id = me and o.promotion_id = p.id;
        insert into pg_temp.book_change values ('promotion', p.id);
    end loop;
    with gone as (
        update pos.promotion o set state = 'archived', updated_at = now()
         where o.retailer_id = me and o.state in ('scheduled', 'active', 'ended', 'suspended')
           and not exists (select from pg_temp.import_row r
                            where r.section = 'promotions' and r.ordinal >= 0 and r.code = o.promotion_id)
        returning o.promotion_id)
    insert into pg_temp.book_change select 'promotion', g.promotion_id from gone g;
end
$$;

-- For posd: applies what open_import's table holds, as one revision, and
-- finishes the job. Faults raise POS00 with {"errors", "error_count"}, to be
-- given to fail_job after the rollback. Call it with the retailer set. Gives
-- {"revision", "changed", "counts": {section: rows}}.
create or replace function pos.apply_import(the_job text, the_lease bigint) returns jsonb
language plpgsql set search_path = '' set work_mem = '128MB' set client_min_messages = warning
as $$
declare
    me      bigint := pos.current_retailer();
    job     pos.job;
    faults  jsonb;
    changed bigint;
    answer  jsonb;
begin
    select * into job from pos.job j
     where j.retailer_id = me and j.job_id = the_job and j.lease = the_lease and j.state = 'running';
    if job.job_id is null then
        perform pos.refuse('POS09', 'lease_lost', 'the job is no longer this worker''s');
    end if;
    perform pos.close_import();
    -- Past orders change no book: they come before its lock, and alone need none.
    if pos.imports('orders') then
        perform pos.import_orders();
    end if;
    -- One import of a retailer at a time; its other writes wait here too.
    if exists (select from pg_temp.import_section s where s.section <> 'orders') then
        perform pos.lock_book();
    end if;
    perform pos.import_names();
    perform pos.import_prices();
    faults := pos.import_faults();
    if (faults ->> 'error_count')::bigint > 0 then
        perform pos.refuse('POS00', 'invalid', format('the book has %s faults', faults ->> 'error_count'), faults -> 'errors', null,
                           jsonb_build_object('error_count', faults -> 'error_count'));
    end if;
    drop table if exists pg_temp.book_change;
    create temporary table book_change (kind text collate "C", key text collate "C") on commit drop;
    with put as (
        update pos.retailer r set document = pos.retailer_settings(i.value)
          from pg_temp.import_row i
         where i.section = 'retailer' and i.ordinal = 0 and r.retailer_id = me
           and r.document is distinct from pos.retailer_settings(i.value) returning 1)
    insert into pg_temp.book_change select 'retailer', '' from put;
    perform pos.import_put('stores', 'store', 'code', 'store');
    perform pos.import_put('categories', 'category', 'code', 'category');
    perform pos.import_put('price_lists', 'price_list', 'code', 'price_list');
    perform pos.import_put('products', 'product', 'sku', 'sku');
    perform pos.import_put_prices();
    perform pos.import_put_taxes();
    perform pos.import_put_promotions(job.created_by, 'import ' || the_job);
    perform pos.import_put('coupons', 'coupon', 'code', 'coupon');
    perform pos.import_put('experiments', 'experiment', 'code', 'experiment');
    perform pos.import_prune('coupons', 'coupon', 'code', 'coupon');
    perform pos.import_end_experiments(the_job);
    perform pos.import_prune('experiments', 'experiment', 'code', 'experiment');
    perform pos.import_prune('products', 'product', 'sku', 'sku');
    perform pos.import_prune('price_lists', 'price_list', 'code', 'price_list');
    perform pos.import_prune('categories', 'category', 'code', 'category');
    perform pos.import_prune('stores', 'store', 'code', 'store');
    changed := pos.import_revision();
    select jsonb_build_object('revision', pos.revision_name(), 'changed', changed, 'counts', coalesce(jsonb_object_agg(s.section, s.n), '{}'))
      into answer from pg_temp.import_section s where s.section <> 'promotion_summaries';
    perform pos.audited(jsonb_build_object('actor', jsonb_build_object('key_id', job.created_by)), 'create_import', 'job', the_job,
                        null, answer);
    if not pos.finish_job(the_job, the_lease, 'succeeded', answer) then
        perform pos.refuse('POS09', 'lease_lost', 'the job is no longer this worker''s');
    end if;
    return answer;
end
$$;

-- The import's one revision: keys listed up to 5,000, in bulk above. Gives how
-- many entities changed.
create or replace function pos.import_revision() returns bigint
language plpgsql set search_path = '' set work_mem = '128MB' set client_min_messages = warning
as $$
declare
    changed bigint;
begin
    create temporary table book_change_all on commit drop as
    select distinct c.kind, c.key from pg_temp.book_change c order by c.kind, c.key;
    drop table pg_temp.book_change;
    alter table pg_temp.book_change_all rename to book_change;
    analyze pg_temp.book_change;
    select count(*) into changed from pg_temp.book_change;
    if changed > 5000 then
        perform pos.book_changed('[]', true);
    elsif changed > 0 then
        perform pos.book_changed((select jsonb_agg(jsonb_build_array(c.kind, c.key)) from pg_temp.book_change c));
    end if;
    return changed;
end
$$;

reset role;
