/* Exact arithmetic: rounding, splitting, currencies. */

#include "base/arena.h"
#include "base/json.h"
#include "base/money.h"
#include "base/t/tap.h"


static void
rounding(void)
{
    static const struct {
        int64_t a, b, divisor, half_up, half_even, down, half_down;
    } t[] = {
        { 5, 1, 2, 3, 2, 2, 2 },
        { 7, 1, 2, 4, 4, 3, 3 },
        { -5, 1, 2, -3, -2, -2, -2 },
        { -7, 1, 2, -4, -4, -3, -3 },
        { 10, 1, 3, 3, 3, 3, 3 },
        { 11, 1, 3, 4, 4, 3, 4 },
        { -11, 1, 3, -4, -4, -3, -4 },
        { 4999, 125000, 1000000, 625, 625, 624, 625 },
        { 1, 1, 1, 1, 1, 1, 1 },
        { 0, 7, 3, 0, 0, 0, 0 },
        { INT64_C(1000000000000000), 1000000, 1000000, POS_MONEY_MAX, POS_MONEY_MAX,
          POS_MONEY_MAX, POS_MONEY_MAX },
    };
    size_t  i;
    int64_t out;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        ok(pos_muldiv(t[i].a, t[i].b, t[i].divisor, POS_ROUND_HALF_UP, &out) && out == t[i].half_up,
           "%lld * %lld / %lld half up", (long long) t[i].a, (long long) t[i].b, (long long) t[i].divisor);
        ok(pos_muldiv(t[i].a, t[i].b, t[i].divisor, POS_ROUND_HALF_EVEN, &out) && out == t[i].half_even,
           "half even");
        ok(pos_muldiv(t[i].a, t[i].b, t[i].divisor, POS_ROUND_DOWN, &out) && out == t[i].down, "down");
        ok(pos_muldiv(t[i].a, t[i].b, t[i].divisor, POS_ROUND_HALF_DOWN, &out) && out == t[i].half_down,
           "half down");
    }
}


static void
overflow(void)
{
    int64_t  out = 42;
    __int128 huge = ((__int128) 1 << 126);

    ok(!pos_muldiv(POS_MONEY_MAX, 2, 1, POS_ROUND_DOWN, &out), "beyond the limit");
    ok(!pos_muldiv(INT64_MAX, INT64_MAX, 1, POS_ROUND_DOWN, &out), "beyond 64 bits");
    ok(!pos_muldiv(1, 1, 0, POS_ROUND_DOWN, &out), "by zero");
    ok(!pos_muldiv(1, 1, -1, POS_ROUND_DOWN, &out), "by less");
    ok(pos_muldiv(INT64_MIN, INT64_MIN, INT64_MAX, POS_ROUND_HALF_UP, &out) == false, "the largest product");
    ok(pos_muldiv(INT64_MIN, 1, INT64_MAX, POS_ROUND_HALF_UP, &out) && out == -1, "the least number");
    ok(pos_divide(huge, huge + (huge - 1), POS_ROUND_HALF_UP, &out) && out == 1, "128 bits, up");
    ok(pos_divide(-huge, huge, POS_ROUND_HALF_UP, &out) && out == -1, "128 bits, negative");
    ok(!pos_add(POS_MONEY_MAX, 1, &out) && !pos_add(INT64_MAX, 1, &out), "a sum too large");
    ok(pos_add(POS_MONEY_MAX, -1, &out) && out == POS_MONEY_MAX - 1, "a sum");
    ok(!pos_sub(-POS_MONEY_MAX, 1, &out) && !pos_sub(INT64_MIN, 1, &out), "a difference too large");
    ok(pos_sub(1, 3, &out) && out == -2, "a difference");
}


/* The definition, slowly: floors, then one each by remainder, then place. */
static void
oracle(int64_t amount, const int64_t *weights, size_t count, int64_t *parts)
{
    size_t   i, best;
    __int128 sum = 0, rests[512];
    int64_t  left, sign = amount < 0 ? -1 : 1;

    amount *= sign;
    left = amount;

    for (i = 0; i < count; i++) {
        sum += weights[i];
    }

    for (i = 0; i < count; i++) {
        __int128 share = (__int128) amount * (sum ? weights[i] : 1), of = sum ? sum : (__int128) count;

        parts[i] = (int64_t) (share / of);
        rests[i] = share % of;
        left -= parts[i];
    }

    for (; left > 0; left--) {
        for (best = 0, i = 1; i < count; i++) {
            if (rests[i] > rests[best]) {
                best = i;
            }
        }
        parts[best]++;
        rests[best] = -1;
    }

    for (i = 0; i < count; i++) {
        parts[i] *= sign;
    }
}


static void
splitting_random(void)
{
    int      round, wrong = 0, sums = 0, above = 0;
    size_t   i, count;
    int64_t  amount, sum, left, weights[300], parts[300], want[300];
    uint64_t state = 7;

    for (round = 0; round < 20000; round++) {
        count = 1 + tap_random(&state) % (round % 10 == 0 ? 300 : 20);
        amount = (int64_t) (tap_random(&state) % (round % 3 ? 5000 : (uint64_t) POS_MONEY_MAX));
        amount = round & 1 ? -amount : amount;

        for (i = 0; i < count; i++) {
            uint64_t r = tap_random(&state);
            weights[i] = r % 5 == 0 ? 0
                         : (int64_t) ((r >> 8) % (round % 4 ? 10 : (uint64_t) POS_MONEY_MAX));
        }

        oracle(amount, weights, count, want);
        wrong += !pos_split(amount, weights, count, parts)
                 || memcmp(parts, want, count * sizeof(parts[0])) != 0;

        wrong += !pos_split_capped(amount, weights, count, parts, &left);
        for (sum = left, i = 0; i < count; i++) {
            sum += parts[i];
            above += parts[i] > weights[i] || parts[i] < -weights[i]
                     || (amount < 0 ? parts[i] > 0 : parts[i] < 0);
        }
        sums += sum != amount;
    }

    is_int(wrong, 0, "20,000 random splits agree with the definition");
    is_int(sums, 0, "capped parts and what is left sum to the amount");
    is_int(above, 0, "no capped part is above its weight or of the other sign");
}


static void
splitting_edges(void)
{
    int64_t parts[3], left, weights[3] = { 10, 0, 5 }, none[3] = { 0, 0, 0 }, bad[3] = { 1, -1, 1 };

    ok(!pos_split(1, weights, 0, parts), "over nothing");
    ok(!pos_split(1, bad, 3, parts), "a negative weight");
    ok(!pos_split(POS_MONEY_MAX + 1, weights, 3, parts), "too large an amount");
    ok(pos_split(10, none, 3, parts) && parts[0] == 4 && parts[1] == 3 && parts[2] == 3,
       "all weights zero count as equal");
    ok(pos_split_capped(20, weights, 3, parts, &left) && parts[0] == 10 && parts[1] == 0
           && parts[2] == 5 && left == 5,
       "capped: what is beyond is left");
    ok(pos_split_capped(-20, weights, 3, parts, &left) && parts[0] == -10 && parts[2] == -5 && left == -5,
       "capped, negative");
    ok(pos_split_capped(5, none, 3, parts, &left) && parts[0] == 0 && left == 5, "capped over nothing");
}


static void
split_case(const pos_json_t *one)
{
    size_t            n = 0;
    bool              good;
    int64_t           amount, weights[64], parts[64], want;
    const pos_json_t *v;

    good = pos_json_int64(pos_json_get(one, "amount"), &amount);
    for (v = pos_json_get(one, "weights")->first; v && n < 64; v = v->next) {
        good &= pos_json_int64(v, &weights[n++]);
    }

    good &= pos_split(amount, weights, n, parts);
    for (n = 0, v = pos_json_get(one, "expected")->first; v; v = v->next, n++) {
        good &= pos_json_int64(v, &want) && want == parts[n];
    }

    ok(good, "%.*s", (int) pos_json_get(one, "id")->text.len, pos_json_get(one, "id")->text.data);
}


/* Cases from other shops' own test suites, where they are at hand. */
static void
splitting_cases(void)
{
    pos_str_t          text = tap_file("../shared/data/cases/splitting.json");
    pos_json_t        *root, *one;
    pos_arena_t       *arena;
    pos_json_reader_t *reader;

    if (text.data == NULL) {
        ok(true, "the shared splitting cases # SKIP not there");
        return;
    }

    arena = pos_arena_create(65536, 0);
    reader = pos_json_reader_create(1 << 20);

    if (ok(pos_json_read(reader, text, arena, NULL, &root) == POS_OK, "the shared cases are read")) {
        for (one = root->first; one; one = one->next) {
            split_case(one);
        }
    }

    pos_json_reader_destroy(reader);
    pos_arena_destroy(arena);
    free((char *) text.data);
}


static void
currencies(void)
{
    unsigned n = 9;

    ok(pos_currency_exponent(pos_str("GBP"), &n) && n == 2, "pounds have pence");
    ok(pos_currency_exponent(pos_str("JPY"), &n) && n == 0, "yen have nothing");
    ok(pos_currency_exponent(pos_str("KWD"), &n) && n == 3, "dinars have thousandths");
    ok(pos_currency_exponent(pos_str("CHF"), &n) && n == 2, "francs");
    ok(!pos_currency_exponent(pos_str("XXX"), &n), "XXX is none");
    ok(!pos_currency_exponent(pos_str("gbp"), &n), "lower case is none");
    ok(!pos_currency_exponent(pos_str("BPU"), &n), "no code across two");
    ok(!pos_currency_exponent(pos_str(""), &n) && !pos_currency_exponent(pos_str("GBPX"), &n),
       "three letters");
}


int
main(void)
{
    rounding();
    overflow();
    splitting_random();
    splitting_edges();
    splitting_cases();
    currencies();

    return tap_done();
}
