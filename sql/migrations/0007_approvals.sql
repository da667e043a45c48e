-- Who ever submitted a version, what was live before publications were kept, and the
-- coupons that belong to no batch.

set local role pos_owner;

-- Every key that submitted it: none of them decides.
alter table pos.promotion_review add column submitters text[] not null default '{}';

-- What is not of a batch is found among a million that are.
create index coupon_by_itself on pos.coupon (retailer_id, code) where batch_id is null;

-- All retailers' rows are seen to here, which the forced policies keep even from their
-- owner.
do $$
declare
    seen text[] := '{promotion,promotion_version,promotion_review,promotion_publication,book_history,revision_log}';
    t    text;
begin
    foreach t in array seen loop
        execute format('alter table pos.%I no force row level security', t);
    end loop;
    update pos.promotion_review set submitters = array[submitted_by] where submitted_by is not null;
    -- A version was live where it is published, or where the book's history has it.
    insert into pos.promotion_publication (retailer_id, promotion_id, ordinal, version, schedule, at)
    select w.retailer_id, w.promotion_id,
           row_number() over (partition by w.retailer_id, w.promotion_id order by w.at, w.version)
               + coalesce((select max(b.ordinal) from pos.promotion_publication b
                            where (b.retailer_id, b.promotion_id) = (w.retailer_id, w.promotion_id)), 0),
           w.version, w.schedule, w.at
      from (select v.retailer_id, v.promotion_id, v.version, case when v.version = p.published_version then p.schedule end as schedule,
                   coalesce(h.at, case when v.version = p.published_version then p.updated_at end) as at
              from pos.promotion p
              join pos.promotion_version v on (v.retailer_id, v.promotion_id) = (p.retailer_id, p.promotion_id)
              left join lateral (
                   select max(l.at) as at
                     from pos.book_history x
                     join pos.revision_log l on (l.retailer_id, l.rev) = (x.retailer_id, x.rev)
                    where (x.retailer_id, x.kind, x.key) = (v.retailer_id, 'promotion', v.promotion_id)
                      and x.value = v.document::text and l.at >= v.created_at) h on true
             where not exists (select from pos.promotion_publication b
                                where (b.retailer_id, b.promotion_id, b.version) = (v.retailer_id, v.promotion_id, v.version))) w
     where w.at is not null;
    -- Its foreign key is checked now: what waits for the commit keeps a table from being altered.
    set constraints all immediate;
    set constraints all deferred;
    foreach t in array seen loop
        execute format('alter table pos.%I force row level security', t);
    end loop;
end
$$;

reset role;
