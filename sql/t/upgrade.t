#!/usr/bin/perl
# A database of the release before, with rows in it, becomes today's.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use Cwd qw(abs_path);
use Test::More;
use PosSql;

my $root = abs_path("$FindBin::Bin/../..");
my @migration = sort(glob "$root/sql/migrations/*.sql");
my ($approvals) = grep { /0007_/ } @migration;
my $sql = PosSql->start($root, grep { $_ lt $approvals } @migration);

# Two retailers. `import` was imported twice and never published over the API, `back` was
# published, and another version after it, `kept` after publications were kept; `draft` and
# the newest of `import` were never live.
$sql->query($_) for q(
    insert into pos.retailer (retailer_id, mode, document, token_key) select i, 'live', '{"timezone": "UTC"}', sha256('k') from generate_series(1, 2) i), q(
    insert into pos.promotion (retailer_id, promotion_id, state, version, published_version, schedule, updated_at) values
        (1, 'import', 'suspended', 3, 2, null, '2026-02-02'), (1, 'back', 'active', 2, 2, '{"until": "2031-01-01"}', '2026-02-02'),
        (2, 'kept', 'active', 2, 2, null, '2026-02-02'), (2, 'draft', 'draft', 1, null, null, '2026-02-02');
    insert into pos.promotion_version (retailer_id, promotion_id, version, document, summary, created_at)
    select retailer_id, promotion_id, n, jsonb_build_object('id', promotion_id, 'priority', n), '{}', '2026-01-01'
      from pos.promotion, generate_series(1, version) n), q(
    insert into pos.revision_log (retailer_id, rev, hash, nonce, bulk, keys, digest, at)
    select r, n, sha256('h'), substr(sha256('n'), 1, 16), false, '[]', sha256('d'), timestamptz '2026-01-01Z' + n * interval '1 day'
      from generate_series(1, 2) r, generate_series(1, 5) n;
    insert into pos.book_history (retailer_id, kind, key, rev, value)
    select v.retailer_id, 'promotion', v.promotion_id, v.version + 1, v.document::text
      from pos.promotion_version v join pos.promotion p using (retailer_id, promotion_id) where v.version <= p.published_version), q(
    insert into pos.promotion_publication (retailer_id, promotion_id, ordinal, version, published_by, at) values (2, 'kept', 1, 2, 'key_a', '2026-02-01');
    insert into pos.promotion_review (retailer_id, promotion_id, version, state, submitted_by) values
        (1, 'import', 3, 'requested', 'key_b'), (2, 'draft', 1, 'requested', null));

my ($statistics) = grep { /0010_/ } @migration;
$sql->load(grep { $_ ge $approvals && $_ lt $statistics } @migration);

# Of the release with back-tests: past orders, one job, a limit half used and an experiment.
$sql->query($_) for q(
    insert into pos.order_history (retailer_id, order_id, ordered_at, customer, currency, line_sku, line_quantity, line_price_amount, line_discount_amount, line_cost_amount)
    select r, 'o' || n, timestamptz '2026-03-01Z' + n * interval '1 hour', 'c' || n, 'GBP', '{S}', '{1000}', '{500}', '{0}', '{null}'
      from generate_series(1, 2) r, generate_series(1, 3) n), q(
    insert into pos.job (retailer_id, job_id, kind, state) values (1, 'job_1', 'backtest', 'succeeded');
    insert into pos.backtest (retailer_id, backtest_id, promotion_id, version, params, job_id, result) values (1, 'bkt_1', 'back', 1, '{"from": "2026-03-01"}', 'job_1', '{"orders": {}}');
    insert into pos.usage_counter (retailer_id, kind, name, of, per, subject, span, since, used) values (1, 'promotion', 'back', 'uses', 'all', '', 'none', '1970-01-01', 5);
    insert into pos.experiment (retailer_id, code, document) values (1, 'e', '{"code": "e", "arms": [{"code": "a"}, {"code": "b"}]}'), (2, 'e', '{"code": "e", "arms": [{"code": "a"}]}'));
$sql->load((grep { $_ ge $statistics } @migration), sort glob "$root/sql/api/*.sql");

is($sql->query(q(select string_agg(concat_ws(' ', promotion_id, ordinal, version, to_char(at at time zone 'UTC', 'MM-DD'), schedule ->> 'until', published_by), ', '
        order by retailer_id, promotion_id, ordinal) from pos.promotion_publication)),
    'back 1 1 01-03, back 2 2 01-04 2031-01-01, import 1 1 01-03, import 2 2 01-04, kept 1 2 02-01 key_a, kept 2 1 01-03',
    'what was live is known as published, and nothing else');
is($sql->query('select string_agg(submitters::text, chr(32) order by retailer_id) from pos.promotion_review'), '{key_b} {}', 'who submitted is remembered');
is($sql->query(q(select count(*) from pg_class where relnamespace = 'pos'::regnamespace and relkind = 'r' and relname <> 'migration'
        and not (relrowsecurity and relforcerowsecurity))), 0, 'every table\'s rows are kept apart as before');
is($sql->query(q(begin; select set_config('pos.retailer', '1', true);
        update pos.retailer set document = document || '{"promotion_approval": "always"}';
        select string_agg(concat_ws(' ', v.promotion_id, v.version, pos.approval_missing(p, v.version, null)), ', ' order by v.promotion_id, v.version)
          from pos.promotion_version v join pos.promotion p using (retailer_id, promotion_id) where v.retailer_id = 1; commit)) =~ s/.*\n(?=back)//sr,
    'back 1, back 2, import 1, import 2, import 3 version 3 needs the approval of another key before it is published',
    'so that going back waits for nobody');

# What a retailer sees, as who serves him sees it.
sub seen {
    my ($query) = @_;
    return (split /\n/, $sql->query("begin; set local role pos_api; select set_config('pos.retailer', '1', true); $query; commit"))[-1];
}
my $request = q('{"query": {}, "headers": {}, "path": {"id": "back", "backtest": "bkt_1", "code": "e"}, "actor": {"key_id": "key_a", "scopes": ["*"]}}');
is(seen("select string_agg(o ->> 'id', ' ') from jsonb_array_elements((api.list_order_history($request)).body -> 'data') o"), 'o1 o2 o3', 'past orders are there, of one retailer');
is(seen("select (api.get_backtest($request)).body ->> 'status'"), 'succeeded', 'and the back-test over them');
is(seen("select (api.get_promotion_stats($request)).body -> 'days'"), '[]', 'nothing is counted yet');
is(seen("select (api.get_experiment($request)).body ->> 'state'"), 'running', 'an experiment runs on');
is(seen("select (api.get_experiment_results($request)).body ->> 'orders'"), '0', 'without orders so far');
is(seen(q(update pos.order_history set experiments = '{"e": "b"}' where order_id = 'o2'; select string_agg(concat_ws(' ', order_id, code, arm), ', ') from pos.exposure)), 'o2 e b', 'and an order may become part of it');
is($sql->query(q(select concat_ws(' ', used, told, told_most is null) from pos.usage_counter where name = 'back')), '5 0 t', 'of a limit nothing was told');

done_testing;
