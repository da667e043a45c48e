-- Statistics: what the tails of two distributions hold. Double precision, right to ten
-- digits and more; sql/t/inference.sql has the figures they are held against.

set local role pos_owner;

-- ln Γ(a) for a > 0: Lanczos' approximation with g = 7 and nine terms.
create or replace function pos.ln_gamma(a float8) returns float8
language sql immutable strict parallel safe set search_path = ''
as $$
    select 0.91893853320467274178 + (a - 0.5) * ln(a + 6.5) - (a + 6.5)
           + ln(0.99999999999980993 + 676.5203681218851 / a - 1259.1392167224028 / (a + 1) + 771.32342877765313 / (a + 2)
                - 176.61502916214059 / (a + 3) + 12.507343278686905 / (a + 4) - 0.13857109526572012 / (a + 5)
                + 9.9843695780195716e-6 / (a + 6) + 1.5056327351493116e-7 / (a + 7))
$$;

-- e^x, 0 where that is less than a double can say.
create or replace function pos.exp_of(x float8) returns float8
language sql immutable strict parallel safe set search_path = ''
as $$ select case when x > -690 then exp(x) else 0 end $$;

-- The regularised incomplete beta function I_x(a, b); y is 1 - x. By its continued
-- fraction (DLMF 8.17.22), after Lentz, on the side on which it converges fast.
create or replace function pos.beta_share(x float8, y float8, a float8, b float8) returns float8
language plpgsql immutable strict parallel safe set search_path = ''
as $$
declare
    front float8;
    c     float8 := 1;
    d     float8;
    h     float8;
    term  float8;
    step  float8;
begin
    if x <= 0 then
        return 0;
    elsif y <= 0 then
        return 1;
    elsif x > (a + 1) / (a + b + 2) then
        return 1 - pos.beta_share(y, x, b, a);
    end if;
    front := pos.exp_of(pos.ln_gamma(a + b) - pos.ln_gamma(a) - pos.ln_gamma(b) + a * ln(x) + b * ln(y)) / a;
    d := 1 / (1 - (a + b) * x / (a + 1));
    h := d;
    for m in 1 .. 10000 loop
        term := m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d := 1 / (1 + term * d);
        c := 1 + term / c;
        h := h * d * c;
        term := -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d := 1 / (1 + term * d);
        c := 1 + term / c;
        step := d * c;
        h := h * step;
        exit when abs(step - 1) < 1e-15;
    end loop;
    return front * h;
end
$$;

-- How likely Student's t is beyond ±t with so many degrees of freedom, which need not be whole.
create or replace function pos.t_tail(t float8, degrees float8) returns float8
language sql immutable strict parallel safe set search_path = ''
as $$
    select pos.beta_share(degrees / (degrees + least(abs(t), 1e150) ^ 2), 1 / (1 + degrees / greatest(least(abs(t), 1e150), 1e-150) ^ 2),
                          degrees / 2, 0.5)
$$;

-- The t beyond which, on both sides, Student's distribution holds `tail`. The tail is convex
-- in t, so that Newton's steps come to it from below without ever passing it.
create or replace function pos.t_quantile(tail float8, degrees float8) returns float8
language plpgsql immutable strict parallel safe set search_path = ''
as $$
declare
    height float8 := pos.ln_gamma((degrees + 1) / 2) - pos.ln_gamma(degrees / 2) - ln(degrees * pi()) / 2;
    t      float8 := 0;
    step   float8;
begin
    for i in 1 .. 200 loop
        step := (pos.t_tail(t, degrees) - tail) / (2 * exp(height - (degrees + 1) / 2 * ln(1 + t * t / degrees)));
        t := t + step;
        exit when abs(step) <= 1e-13 * t;
    end loop;
    return t;
end
$$;

-- How likely chi-square is above x with so many degrees of freedom: the regularised upper
-- incomplete gamma function Q(degrees / 2, x / 2), by its series (DLMF 8.7.1) or its
-- continued fraction (8.9.2).
create or replace function pos.chi_square_tail(x float8, degrees int) returns float8
language plpgsql immutable strict parallel safe set search_path = ''
as $$
declare
    a     float8 := degrees / 2.0;
    z     float8 := x / 2;
    front float8;
    term  float8;
    total float8;
    b     float8;
    c     float8;
    d     float8;
    step  float8;
begin
    if x <= 0 then
        return 1;
    end if;
    front := pos.exp_of(a * ln(z) - z - pos.ln_gamma(a));
    if z < a + 1 then
        term := 1 / a;
        total := term;
        for n in 1 .. 10000 loop
            term := term * z / (a + n);
            total := total + term;
            exit when term < 1e-16 * total;
        end loop;
        return 1 - front * total;
    end if;
    b := z + 1 - a;
    c := 1e300;
    d := 1 / b;
    total := d;
    for n in 1 .. 10000 loop
        b := b + 2;
        step := -n * (n - a);
        d := 1 / (step * d + b);
        c := b + step / c;
        step := d * c;
        total := total * step;
        exit when abs(step - 1) < 1e-15;
    end loop;
    return front * total;
end
$$;

-- Two ratios of sums, each over clusters, and their difference b - a: {"value", "low", "high",
-- "degrees", "p_value"}. A cluster brings x to the upper sum and n to the lower; given are
-- how many clusters there are and the sums of x, n, x², xn and n². The variance is the
-- ratio estimator's (Cochran, Sampling Techniques, 6.3), that of a mean where each n is 1;
-- the interval Welch's, of 95 %. Bounds are null where there are fewer than two clusters or
-- nothing varies. Money's digits: two decimals of the minor unit.
create or replace function pos.ratio_variance(clusters bigint, x numeric, n numeric, xx numeric, xn numeric, nn numeric) returns float8
language sql immutable strict parallel safe set search_path = ''
as $$
    select case when clusters > 1 and n <> 0
           then (clusters * (xx * n * n - 2 * x * n * xn + x * x * nn) / ((clusters - 1) * n * n * n * n))::float8 end
$$;

create or replace function pos.ratio_difference(a_clusters bigint, a_mean numeric, a_variance float8,
    b_clusters bigint, b_mean numeric, b_variance float8) returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    value   numeric := b_mean - a_mean;
    spread  float8 := a_variance + b_variance;
    degrees float8;
    half    numeric;
begin
    if value is null then
        return null;
    elsif spread > 0 then
        degrees := spread ^ 2 / (a_variance ^ 2 / (a_clusters - 1) + b_variance ^ 2 / (b_clusters - 1));
        half := (pos.t_quantile(0.05, degrees) * sqrt(spread))::numeric;
    end if;
    return jsonb_build_object('value', round(value, 2), 'low', round(value - half, 2), 'high', round(value + half, 2),
        'degrees', round(degrees::numeric, 2), 'p_value', round(pos.t_tail(value::float8 / sqrt(nullif(spread, 0)), degrees)::numeric, 6));
end
$$;

reset role;
