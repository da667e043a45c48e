-- Events and their numbers.

set local role pos_owner;

-- For posd: gives up to `most` committed events that have no number yet the next
-- numbers of their retailer. How many it numbered; null: another session is at it.
--
-- Numbers have no gaps and nothing ever appears behind a number that was seen: only
-- what is committed is numbered, by one session at a time, and in the transaction
-- that gives the number. An event whose change began after another was committed
-- comes after it, since `at` is its transaction's beginning; and an aggregate's
-- events come by version, also where a later change began earlier and then waited
-- for the aggregate: such a one stands where the change that it waited for does.
create or replace function pos.number_events(most int default 500) returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
    waiting  bigint;
    numbered bigint;
begin
    if not pg_try_advisory_xact_lock(7305116) then
        return null;
    end if;
    loop
        with oldest as materialized (
            select e.retailer_id, e.aggregate, e.version, e.id, e.at,
                   exists (select from pos.event p
                            where (p.retailer_id, p.aggregate, p.version) = (e.retailer_id, e.aggregate, e.version - 1)
                              and p.seq is null) as follows
              from pos.event e where e.seq is null order by e.at, e.id limit most
        ), linked as (
            select o.*, follows and lag(version) over aggregate is distinct from version - 1 as cut_off from oldest o
            window aggregate as (partition by retailer_id, o.aggregate order by version)
        ), placed as (
            select l.*, bool_or(cut_off) over aggregate as too_early, max(at) over aggregate as since, max(id) over aggregate as last_id
              from linked l
            window aggregate as (partition by retailer_id, l.aggregate order by version)
        ), given as (
            update pos.event e
               set seq = n.seq
              from (select p.retailer_id, p.aggregate, p.version,
                           coalesce((select max(s.seq) from pos.event s where s.retailer_id = p.retailer_id), 0)
                           + row_number() over (partition by p.retailer_id order by since, last_id, p.version) as seq
                      from placed p where not too_early) n
             where (e.retailer_id, e.aggregate, e.version) = (n.retailer_id, n.aggregate, n.version)
            returning 1
        )
        select (select count(*) from oldest), (select count(*) from given) into waiting, numbered;
        -- A clock that went back can hide the version that all others wait for.
        exit when numbered > 0 or waiting < most;
        most := most * 2;
    end loop;
    return numbered;
end
$$;

reset role;
