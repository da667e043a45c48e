-- Walks the system catalogue: what every table and function must be.
begin;
select plan(8);

select is_empty($$
    select c.oid::regclass::text from pg_class c
     where c.relnamespace = 'pos'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'migration'
       and not (c.relrowsecurity and c.relforcerowsecurity)
$$, 'every table forces row-level security');

select is_empty($$
    select c.oid::regclass::text from pg_class c
     where c.relnamespace = 'pos'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'migration'
       and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'tenant' and p.polcmd = '*'
                          and p.polpermissive and p.polroles = '{0}' and p.polwithcheck is null
                          and pg_get_expr(p.polqual, p.polrelid) = '(retailer_id = pos.current_retailer())')
$$, 'every table has the plain tenant policy');

select set_eq($$
    select p.polrelid::regclass::text, p.polname::text from pg_policy p where p.polname <> 'tenant'
$$, $$ values ('pos.revision', 'feed'), ('pos.job', 'daemon'), ('pos.event', 'daemon'), ('pos.usage_line', 'daemon') $$,
    'only posd sees more, and only heads, jobs, events and what is reserved');

select is_empty($$
    select c.oid::regclass::text from pg_class c
     where c.relnamespace = 'pos'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'migration'
       and not exists (select from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
                        where i.indrelid = c.oid and i.indisprimary and a.attname = 'retailer_id')
$$, 'every primary key starts with retailer_id');

select is_empty($$
    select p.oid::regprocedure::text from pg_proc p
     where p.pronamespace in ('pos'::regnamespace, 'api'::regnamespace) and p.prosqlbody is null
       and not coalesce('search_path=""' = any (p.proconfig), false)
$$, 'every function pins its search_path');

select is_empty($$
    select p.oid::regprocedure::text from pg_proc p
     where p.pronamespace in ('pos'::regnamespace, 'api'::regnamespace) and p.prosecdef
$$, 'no function runs with its owner''s rights');

select is_empty($$
    select p.oid::regprocedure::text from pg_proc p
     where p.pronamespace in ('pos'::regnamespace, 'api'::regnamespace)
       and has_function_privilege('public', p.oid, 'execute')
$$, 'the public runs nothing');

select is_empty($$
    select rolname::text from pg_roles
     where rolname in ('pos_api', 'pos_daemon')
       and (rolsuper or rolbypassrls or pg_has_role(rolname, 'pos_owner', 'member'))
$$, 'nginx and posd neither own nor bypass');

select * from finish();
rollback;
