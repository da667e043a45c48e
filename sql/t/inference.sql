-- The tails that results are judged by, against figures of mpmath with 40 digits (betainc and
-- gammainc regularized; t's tail also by integrating its density).
begin;
select plan(24);

create function pg_temp.near(name text, got float8, want float8) returns text language sql as
$$ select ok(abs(got - want) <= 1e-9 * abs(want), name || ': ' || got) $$;

select pg_temp.near('t beyond ' || t || ' with ' || v, pos.t_tail(t, v), want)
  from (values (2::float8, 5::float8, 0.10193947882986::float8), (0.5, 3.7, 0.64533563331993), (4.25, 17.3, 0.00052140397331655),
               (1.96, 100000, 0.049998563194302), (30, 8, 1.653525675179e-9)) w(t, v, want);
select pg_temp.near('the same below', pos.t_tail(-2, 5), pos.t_tail(2, 5));
select is(pos.t_tail(0, 4), 1::float8, 'all of it lies beyond 0');
select is(pos.t_tail(1e200, 4) < 1e-200, true, 'none of it beyond anything');
select pg_temp.near('t of 5 % with ' || v, pos.t_quantile(0.05, v), want)
  from (values (1::float8, 12.706204736175::float8), (1.5, 6.0166631044279), (2, 4.3026527297495), (7.31, 2.3444471139833),
               (30, 2.0422724563012), (1234.5, 1.9618874833313), (1000000, 1.9599663568141)) w(v, want);
select pg_temp.near('chi-square above ' || x || ' with ' || k, pos.chi_square_tail(x, k), want)
  from (values (3.84::float8, 1, 0.050043521248705::float8), (10.83, 1, 0.00099868637918026), (0.2, 3, 0.97758929776165),
               (25.5, 4, 3.9906905618943e-5), (120, 99, 0.074243855805967), (200, 5, 2.8406228986415e-41), (6.63, 2, 0.03633404857734)) w(x, k, want);
select is(pos.chi_square_tail(0, 3), 1::float8, 'all of it is above 0');
select is(pos.chi_square_tail(1e6, 3), 0::float8, 'nothing that a double can say is above a million');

select * from finish();
rollback;
