/* The JSON writer. */

#include "base/clock.h"
#include "base/json_write.h"
#include "base/t/tap.h"

static pos_arena_t *arena;


static void
document(void)
{
    pos_writer_t w;

    pos_writer_init(&w, arena, 8, 4096);
    pos_write_object_begin(&w);
    pos_write_key(&w, "a");
    pos_write_int(&w, 1);
    pos_write_key(&w, "b");
    pos_write_array_begin(&w);
    pos_write_bool(&w, true);
    pos_write_bool(&w, false);
    pos_write_null(&w);
    pos_write_array_begin(&w);
    pos_write_array_end(&w);
    pos_write_object_begin(&w);
    pos_write_object_end(&w);
    pos_write_array_end(&w);
    pos_write_key_str(&w, pos_str("c\n"));
    pos_write_raw(&w, pos_str("[1, 2]"));
    pos_write_key(&w, "d");
    pos_write_compact(&w, pos_str(" {\n\t\"a b\": [ 1,\r\n2 ], \"\\\" c\": {} }\n"));
    pos_write_key(&w, "t");
    pos_write_time(&w, 500000);
    pos_write_key(&w, "u");
    pos_write_time(&w, POS_TIME_MAX);
    pos_write_object_end(&w);
    is_int(w.status, POS_OK, "a document");
    is_str(pos_writer_result(&w),
           "{\"a\":1,\"b\":[true,false,null,[],{}],\"c\\n\":[1, 2],"
           "\"d\":{\"a b\":[1,2],\"\\\" c\":{}},"
           "\"t\":\"1970-01-01T00:00:00.5Z\",\"u\":null}",
           "as it should be");
}


static void
numbers(void)
{
    static const struct { int64_t n; const char *want; } ints[] = {
        { 0, "0" }, { 7, "7" }, { 10, "10" }, { 99, "99" }, { 100, "100" }, { -1, "-1" },
        { 12345, "12345" }, { INT64_MAX, "9223372036854775807" }, { INT64_MIN, "-9223372036854775808" },
    };
    static const struct { int64_t n; unsigned digits; const char *want; } decimals[] = {
        { 125000, 4, "12.5" }, { 0, 4, "0" }, { 10000, 4, "1" }, { 1, 4, "0.0001" }, { -1, 3, "-0.001" },
        { -1500, 3, "-1.5" }, { 1234567, 3, "1234.567" }, { 42, 0, "42" }, { 100, 0, "100" },
        { INT64_MIN, 9, "-9223372036.854775808" },
    };
    size_t       i;
    pos_writer_t w;

    for (i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
        pos_writer_init(&w, arena, 0, 100);
        pos_write_int(&w, ints[i].n);
        is_str(pos_writer_result(&w), ints[i].want, "%s", ints[i].want);
    }

    for (i = 0; i < sizeof(decimals) / sizeof(decimals[0]); i++) {
        pos_writer_init(&w, arena, 0, 100);
        pos_write_decimal(&w, decimals[i].n, decimals[i].digits);
        is_str(pos_writer_result(&w), decimals[i].want, "%s", decimals[i].want);
    }
}


static void
strings(void)
{
    static const struct { const char *text; size_t len; const char *want; } t[] = {
        { "", 0, "\"\"" },
        { "plain", 5, "\"plain\"" },
        { "a text of more than sixteen bytes", 33, "\"a text of more than sixteen bytes\"" },
        { "a \"quote\" in a longer text", 26, "\"a \\\"quote\\\" in a longer text\"" },
        { "\\", 1, "\"\\\\\"" },
        { "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
        { "\0\x01\x1f", 3, "\"\\u0000\\u0001\\u001f\"" },
        { "\x7f/", 2, "\"\x7f/\"" },
        { "\xE2\x82\xAC \xF0\x9F\x98\x80", 8, "\"\xE2\x82\xAC \xF0\x9F\x98\x80\"" },
        { "\xff", 1, "\"\xEF\xBF\xBD\"" },
        { "a\xE2\x82", 3, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { "\xC0\x80", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { "\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    };
    size_t       i;
    pos_writer_t w;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        pos_writer_init(&w, arena, 0, 200);
        pos_write_string(&w, pos_str_of(t[i].text, t[i].len));
        is_str(pos_writer_result(&w), t[i].want, "string %zu", i);
    }
}


static void
limits(void)
{
    char         buffer[8];
    int          i;
    pos_writer_t w;

    pos_writer_init_fixed(&w, buffer, sizeof(buffer));
    pos_write_raw(&w, pos_str("12345678"));
    is_int(w.status, POS_OK, "a fixed buffer can be filled");
    pos_write_null(&w);
    is_int(w.status, POS_LIMIT, "and then is full");
    pos_writer_init_fixed(&w, buffer, sizeof(buffer));
    pos_write_raw(&w, pos_str("1234567"));
    pos_write_string(&w, pos_str("x"));
    is_int(w.status, POS_LIMIT, "no room for the next");
    pos_write_object_end(&w);
    is_str(pos_writer_result(&w), "1234567", "and nothing comes behind a failure");

    pos_writer_init(&w, arena, 10, 1000);
    for (i = 0; i < 1000; i++) {
        pos_write_bytes(&w, pos_str("x"));
    }
    is_int(w.status, POS_OK, "up to the maximum");
    is_int(pos_writer_result(&w).len, 1000, "to the byte");
    pos_write_bytes(&w, pos_str("x"));
    is_int(w.status, POS_LIMIT, "and not beyond");

    pos_writer_init(&w, arena, 64, 1000);
    pos_write_object_begin(&w);
    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str("\n"));
    pos_write_object_begin(&w);
    pos_write_object_end(&w);
    is_str(pos_writer_result(&w), "{}\n{}", "documents by line need no comma");
}


static void
torture(void)
{
    uint64_t     n;
    pos_arena_t *small;
    pos_writer_t w;

    for (n = 1; n < 100; n++) {
        small = pos_arena_create(64, 0);
        pos_arena_fail_nth(n);
        pos_writer_init(&w, small, 64, 100000);
        for (int i = 0; i < 1000; i++) {
            pos_write_string(&w, pos_str("some text"));
        }
        pos_arena_fail_nth(0);
        pos_arena_destroy(small);

        if (w.status == POS_OK) {
            break;
        }
        if (w.status != POS_NO_MEMORY) {
            n = 100;
        }
    }

    ok(n > 3 && n < 100, "without memory at any step it says so (%d steps)", (int) n);
}


/* Each number by a claim is the number as it is written singly. */
static void
put_numbers(void)
{
    static const int64_t numbers[] = { 0, 9, 10, 99, 100, 101, 999, 1000, 1001, 9999, 10000, 12345, 99999999,
        100000000, INT64_MAX, INT64_MIN, -1, -10, -100, -9999, -10000 };
    pos_writer_t w;
    char         one[POS_INT_ROOM], two[POS_DECIMAL_ROOM];
    bool         same = true;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pos_writer_init(&w, arena, 64, 1000);
        pos_write_int(&w, numbers[i]);
        same &= pos_str_eq(pos_writer_result(&w), pos_str_of(one, (size_t) (pos_put_int(one, numbers[i]) - one)));
        pos_writer_init(&w, arena, 64, 1000);
        pos_write_decimal(&w, numbers[i], 3);
        same &= pos_str_eq(pos_writer_result(&w), pos_str_of(two, (size_t) (pos_put_decimal(two, numbers[i], 3) - two)));
    }
    ok(same, "numbers put into a claim are as the writer's");
}


static void
claims(void)
{
    pos_str_t    odd = pos_str("a\"b\n\xC3\xA9 0123456789 0123456789 0123456789");
    pos_writer_t w;
    char        *p;

    pos_writer_init(&w, arena, 64, 1000);
    pos_write_array_begin(&w);
    for (int i = 0; i < 3; i++) {
        p = pos_writer_claim_value(&w, 20 + POS_STRING_ROOM(odd));
        p = pos_put_literal(p, "{\"s\":");
        p = pos_put_string(p, i ? pos_str("plain") : odd);
        *p++ = '}';
        pos_writer_tell(&w, p, true);
    }
    pos_write_array_end(&w);
    is_str(pos_writer_result(&w), "[{\"s\":\"a\\\"b\\n\xC3\xA9 0123456789 0123456789 0123456789\"},{\"s\":\"plain\"},"
                                  "{\"s\":\"plain\"}]", "pieces have their commas and escapes");

    pos_writer_init(&w, arena, 64, 100);
    p = pos_writer_claim(&w, 500);
    ok(p != NULL, "a claim may be more than the maximum");
    pos_writer_tell(&w, p + 100, true);
    is_int(w.status, POS_OK, "what is written of it may not: to the byte");
    p = pos_writer_claim(&w, 1);
    pos_writer_tell(&w, p + 1, true);
    is_int(w.status, POS_LIMIT, "and one more is over");
    ok(pos_writer_claim(&w, 1) == NULL, "behind a failure nothing is claimed");
}


int
main(void)
{
    arena = pos_arena_create(65536, 0);
    document();
    put_numbers();
    claims();
    numbers();
    strings();
    limits();
    torture();
    pos_arena_destroy(arena);

    return tap_done();
}
