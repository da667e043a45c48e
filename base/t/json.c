/* The JSON door: what it takes, what it refuses and where it says so; its
 * verdict against the plain scanner's over thousands of damaged texts. */

#include "base/json.h"
#include "base/json_locate.h"
#include "base/json_write.h"
#include "base/t/tap.h"


static pos_arena_t       *arena;
static pos_json_reader_t *reader;


static pos_status_t
take(pos_str_t text, pos_faults_t *faults, pos_json_t **root)
{
    char        *tight;
    pos_status_t status;

    /* Just the bytes, so that a sanitizer sees any read past them. */
    tight = malloc(text.len ? text.len : 1);
    if (text.len) {
        memcpy(tight, text.data, text.len);
    }

    pos_arena_reset(arena);
    pos_faults_init(faults, arena);
    *root = NULL;
    status = pos_json_read(reader, pos_str_of(tight, text.len), arena, faults, root);
    free(tight);

    return status;
}


static void
accepted(void)
{
    static const char *const good[] = {
        "null", "true", "false", "0", "-0", "1", "-1", "10", "0.5", "-0.5", "1e5", "1E+5", "1e-5",
        "1.25e10", "1e999", "-1e-999", "123456789012345678901234567890",
        "0.1234567890123456789012345678901234567890", "\"\"", "\"a\"", "[]", "{}", "[[]]", "[{}]",
        " [ ] ", "\t\r\n {\n}\t", "[1]", "[1,2]", "[1 , 2 ]", "{\"a\":1}", "{\"a\" : 1 , \"b\" : 2}",
        "{\"\":1}", "{\"a\":{\"a\":{\"a\":1}}}", "[[1],[2,[3]],{}]", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00e9\\u20ac\"", "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\x7f\"",
        "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\"\xEE\x80\x80\xF4\x8F\xBF\xBF\"",
        "\"/\"", "\"[]{},:\"", "\"\\\\\"", "\"\\\\\\\"\"", "[\"\\\\\",\"\\\"\"]", "\"\\uFFFF\"",
        "{\"a\":1,\"A\":2,\"aa\":3,\"\\u0061b\":4}",
    };
    size_t       i;
    pos_json_t  *root;
    pos_faults_t faults;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(take(pos_str_z(good[i]), &faults, &root) == POS_OK && root && faults.count == 0,
           "taken: %s", i < 28 || i > 32 ? good[i] : "(white space)");
    }
}


static void
refused(void)
{
    static const struct { const char *text; const char *code; unsigned line, column; } bad[] = {
        { "", "json_syntax", 1, 1 },
        { "   ", "json_syntax", 1, 4 },
        { "{", "json_syntax", 1, 2 },
        { "[", "json_syntax", 1, 2 },
        { "}", "json_syntax", 1, 1 },
        { "]", "json_syntax", 1, 1 },
        { ",", "json_syntax", 1, 1 },
        { ":", "json_syntax", 1, 1 },
        { "[1,]", "json_syntax", 1, 4 },
        { "[,1]", "json_syntax", 1, 2 },
        { "[1,,2]", "json_syntax", 1, 4 },
        { "[1 2]", "json_syntax", 1, 4 },
        { "[1}", "json_syntax", 1, 3 },
        { "{\"a\":1]", "json_syntax", 1, 7 },
        { "{\"a\":1,}", "json_syntax", 1, 8 },
        { "{\"a\"}", "json_syntax", 1, 5 },
        { "{\"a\":}", "json_syntax", 1, 6 },
        { "{\"a\" 1}", "json_syntax", 1, 6 },
        { "{\"a\"::1}", "json_syntax", 1, 6 },
        { "{a:1}", "json_syntax", 1, 2 },
        { "{1:1}", "json_syntax", 1, 2 },
        { "{'a':1}", "json_syntax", 1, 2 },
        { "{\"a\":1 \"b\":2}", "json_syntax", 1, 8 },
        { "[1]x", "json_syntax", 1, 4 },
        { "[1] [2]", "json_syntax", 1, 5 },
        { "1 2", "json_syntax", 1, 3 },
        { "{}{}", "json_syntax", 1, 3 },
        { "\"a\"\"b\"", "json_syntax", 1, 4 },
        { "\"a\"b", "json_syntax", 1, 4 },
        { "nul", "json_syntax", 1, 1 },
        { "nulll", "json_syntax", 1, 5 },
        { "True", "json_syntax", 1, 1 },
        { "truefalse", "json_syntax", 1, 5 },
        { "NaN", "json_syntax", 1, 1 },
        { "Infinity", "json_syntax", 1, 1 },
        { "-Infinity", "json_syntax", 1, 2 },
        { "undefined", "json_syntax", 1, 1 },
        { "01", "json_syntax", 1, 2 },
        { "-01", "json_syntax", 1, 3 },
        { "00", "json_syntax", 1, 2 },
        { "+1", "json_syntax", 1, 1 },
        { ".5", "json_syntax", 1, 1 },
        { "5.", "json_syntax", 1, 3 },
        { "-", "json_syntax", 1, 2 },
        { "--1", "json_syntax", 1, 2 },
        { "1e", "json_syntax", 1, 3 },
        { "1e+", "json_syntax", 1, 4 },
        { "1.e5", "json_syntax", 1, 3 },
        { "1.5.5", "json_syntax", 1, 4 },
        { "0x10", "json_syntax", 1, 2 },
        { "1_000", "json_syntax", 1, 2 },
        { "1a", "json_syntax", 1, 2 },
        { "[1\"a\"]", "json_syntax", 1, 3 },
        { "[\"a\"1]", "json_syntax", 1, 5 },
        { "[1\f]", "json_syntax", 1, 3 },
        { "[1\f,2]", "json_syntax", 1, 3 },
        { "{\"a\"\x1a""1}", "json_syntax", 1, 5 },
        { "\v1", "json_syntax", 1, 1 },
        { "\"", "json_syntax", 1, 2 },
        { "\"abc", "json_syntax", 1, 5 },
        { "\"abc\\\"", "json_syntax", 1, 7 },
        { "\"abc\\", "json_syntax", 1, 6 },
        { "\"\\x\"", "json_syntax", 1, 3 },
        { "\"\\a\"", "json_syntax", 1, 3 },
        { "\"\\'\"", "json_syntax", 1, 3 },
        { "\"\\u12\"", "json_syntax", 1, 6 },
        { "\"\\u12g4\"", "json_syntax", 1, 6 },
        { "\"\\U0041\"", "json_syntax", 1, 3 },
        { "\"a\nb\"", "json_syntax", 1, 3 },
        { "\"a\tb\"", "json_syntax", 1, 3 },
        { "\"\x01\"", "json_syntax", 1, 2 },
        { "\\\"a\"", "json_syntax", 1, 1 },
        { "[1\\\"a\"]", "json_syntax", 1, 3 },
        { "\"\\u0000\"", "json_syntax", 1, 2 },
        { "{\"a\\u0000\":1}", "json_syntax", 1, 4 },
        { "\xEF\xBB\xBF[]", "json_syntax", 1, 1 },
        { "[1]//c", "json_syntax", 1, 4 },
        { "/* c */ 1", "json_syntax", 1, 1 },
        { "[\n  1,\n  x\n]", "json_syntax", 3, 3 },
        { "{\"\xC3\xA9\": x}", "json_syntax", 1, 7 },
        { "\"\xff\"", "json_utf8", 1, 2 },
        { "\"\x80\"", "json_utf8", 1, 2 },
        { "\"\xC3\"", "json_utf8", 1, 2 },
        { "\"\xC0\x80\"", "json_utf8", 1, 2 },
        { "\"\xE0\x80\x80\"", "json_utf8", 1, 2 },
        { "\"\xED\xA0\x80\"", "json_utf8", 1, 2 },
        { "\"\xF4\x90\x80\x80\"", "json_utf8", 1, 2 },
        { "\"\xF0\x9F\x98\"", "json_utf8", 1, 2 },
        { "\xff", "json_utf8", 1, 1 },
        { "{\"a\xfe\":1}", "json_utf8", 1, 4 },
        { "\"\\ud800\"", "json_utf8", 1, 2 },
        { "\"\\udc00\"", "json_utf8", 1, 2 },
        { "\"\\ud800\\ud800\"", "json_utf8", 1, 2 },
        { "\"\\ud800x\"", "json_utf8", 1, 2 },
        { "\"\\ude00\\ud83d\"", "json_utf8", 1, 2 },
    };
    size_t       i;
    pos_json_t  *root;
    pos_faults_t faults;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const pos_fault_t *f;
        pos_status_t       status = take(pos_str_z(bad[i].text), &faults, &root);

        f = faults.first;
        ok(status == POS_INVALID && f && strcmp(f->code, bad[i].code) == 0 && f->line == bad[i].line
               && f->column == bad[i].column,
           "refused %zu: %.*s", i, f ? (int) f->message.len : 4, f ? f->message.data : "none");
    }

    ok(take(pos_str("[\"a\0b\"]"), &faults, &root) == POS_INVALID, "a NUL in a string");
    ok(take(pos_str("[1\0]"), &faults, &root) == POS_INVALID, "a NUL behind a number");
    ok(take(pos_str("[1]\0"), &faults, &root) == POS_INVALID, "a NUL at the end");
    ok(take(pos_str("\0"), &faults, &root) == POS_INVALID, "a NUL alone");
    ok(take(pos_str_of(NULL, 0), &faults, &root) == POS_INVALID, "no text at all");
}


static pos_str_t
nested(char *text, unsigned depth, const char *open, const char *inner, const char *close)
{
    size_t n = 0;

    for (unsigned i = 0; i < depth; i++) {
        n += (size_t) sprintf(text + n, "%s", open);
    }
    n += (size_t) sprintf(text + n, "%s", inner);
    for (unsigned i = 0; i < depth; i++) {
        n += (size_t) sprintf(text + n, "%s", close);
    }

    return pos_str_of(text, n);
}


static void
depth(void)
{
    char        *text = malloc(4000000);
    pos_json_t  *root;
    pos_faults_t faults;

    ok(take(nested(text, 32, "[", "1", "]"), &faults, &root) == POS_OK, "32 arrays deep");
    ok(take(nested(text, 33, "[", "", "]"), &faults, &root) == POS_INVALID
           && strcmp(faults.first->code, "json_depth") == 0 && faults.first->column == 33,
       "not 33");
    ok(take(nested(text, 32, "{\"a\":", "1", "}"), &faults, &root) == POS_OK, "32 objects deep");
    ok(take(nested(text, 33, "{\"a\":", "1", "}"), &faults, &root) == POS_INVALID, "not 33");
    ok(take(nested(text, 400000, "[", "", "]"), &faults, &root) == POS_INVALID
           && strcmp(faults.first->code, "json_depth") == 0,
       "nor 400,000");
    ok(take(nested(text, 400000, "[", "", ""), &faults, &root) == POS_INVALID, "never closed");
    free(text);
}


static void
duplicates(void)
{
    static const struct { const char *text, *pointer; } bad[] = {
        { "{\"a\":1,\"a\":2}", "/a" },
        { "{\"a\":1,\"b\":2,\"a\":3}", "/a" },
        { "{\"\":1,\"\":2}", "/" },
        { "{\"b\":1,\"\\u0062\":2}", "/b" },
        { "{\"\\u0062\":1,\"b\":2}", "/b" },
        { "{\"/~\":1,\"\\/~\":2}", "/~1~0" },
        { "[0,{\"x\":[{},{\"k\":1,\"k\":1}]}]", "/1/x/1/k" },
        { "{\"a\":{\"b\":1},\"a\":{\"b\":1}}", "/a" },
    };
    char        *text = malloc(3000000);
    size_t       i, n;
    pos_json_t  *root;
    pos_faults_t faults;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(take(pos_str_z(bad[i].text), &faults, &root) == POS_INVALID && faults.first
               && strcmp(faults.first->code, "json_duplicate_key") == 0,
           "duplicate: %s", bad[i].text);
        is_str(faults.first->pointer, bad[i].pointer, "at %s", bad[i].pointer);
    }

    for (size_t count = 2; count <= 200000; count = count * 3 + 1) {
        for (n = 0, i = 0; i < count; i++) {
            n += (size_t) sprintf(text + n, "%c\"k%zu\":1", i ? ',' : '{', i);
        }
        text[n] = '}';
        ok(take(pos_str_of(text, n + 1), &faults, &root) == POS_OK && root->count == count,
           "%zu different names", count);
        n += (size_t) sprintf(text + n, ",\n\"k%zu\":1}", count / 2);
        ok(take(pos_str_of(text, n), &faults, &root) == POS_INVALID
               && strcmp(faults.first->code, "json_duplicate_key") == 0 && faults.first->line == 2,
           "and one of them twice");
    }

    free(text);
}


static void
tree(void)
{
    int64_t           n;
    pos_json_t       *root;
    pos_faults_t      faults;
    const pos_json_t *a, *o;

    ok(take(pos_str(" {\"a\": [1, \"x\\n\\ud83d\\ude00\", null ], \"o\":{ \"k\" : true },\"n\":-12.50}"),
            &faults, &root) == POS_OK,
       "a document");
    a = pos_json_get(root, "a");
    o = pos_json_get(root, "o");
    is_int(root->count, 3, "three members");
    is_int(a->count, 3, "three elements");
    is_str(a->text, "[1, \"x\\n\\ud83d\\ude00\", null ]", "an array's raw text");
    is_str(o->text, "{ \"k\" : true }", "an object's raw text");
    is_str(a->first->next->text, "x\n\xF0\x9F\x98\x80", "a string unescaped");
    is_int(a->first->next->next->type, POS_JSON_NULL, "null");
    is_str(a->first->text, "1", "a number as written");
    ok(a->first->key.len == 0, "elements have no name");
    is_str(pos_json_get(root, "n")->text, "-12.50", "a decimal as written");
    ok(pos_json_is_bool(pos_json_get(o, "k")), "a boolean");
    ok(pos_json_get(root, "b") == NULL && pos_json_get(a, "b") == NULL && pos_json_get(NULL, "b") == NULL,
       "what is not there");
    ok(pos_json_decimal(pos_json_get(root, "n"), 4, &n) && n == -125000, "-12.50 scaled by 10^4");
    ok(pos_json_decimal(pos_json_get(root, "n"), 2, &n) && n == -1250, "by 10^2");
    ok(!pos_json_decimal(pos_json_get(root, "n"), 1, &n), "not by 10: two digits are written");
    ok(!pos_json_int64(pos_json_get(root, "n"), &n), "no integer");
    is_str(pos_json_pointer(arena, pos_str("/x"), pos_str("a/b~c")), "/x/a~1b~0c", "a pointer");
    is_str(pos_json_pointer_index(arena, pos_str(""), 17), "/17", "by index");
}


static void
numbers(void)
{
    static const struct { const char *text; bool good; int64_t want; } ints[] = {
        { "0", true, 0 }, { "-0", true, 0 }, { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN }, { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 }, { "1.0", false, 0 }, { "1e2", false, 0 },
        { "1e999", false, 0 }, { "99999999999999999999999999", false, 0 }, { "\"1\"", false, 0 },
        { "true", false, 0 },
    };
    static const struct { const char *text; unsigned digits; bool good; int64_t want; } decimals[] = {
        { "12.5", 4, true, 125000 }, { "12.5", 1, true, 125 }, { "12.5", 0, false, 0 },
        { "0.0001", 4, true, 1 }, { "0.00001", 4, false, 0 }, { "-0.5", 3, true, -500 },
        { "1e2", 4, false, 0 }, { "1.5e0", 4, false, 0 }, { "9223372036.854775807", 9, true, INT64_MAX },
        { "9223372036.854775808", 9, false, 0 }, { "9300000000", 9, false, 0 }, { "1", 10, false, 0 },
    };
    size_t       i;
    bool         good;
    int64_t      n = 0;
    pos_json_t  *root;
    pos_faults_t faults;

    for (i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
        good = take(pos_str_z(ints[i].text), &faults, &root) == POS_OK && pos_json_int64(root, &n);
        ok(good == ints[i].good && (!good || n == ints[i].want), "integer %s", ints[i].text);
    }
    for (i = 0; i < sizeof(decimals) / sizeof(decimals[0]); i++) {
        good = take(pos_str_z(decimals[i].text), &faults, &root) == POS_OK
               && pos_json_decimal(root, decimals[i].digits, &n);
        ok(good == decimals[i].good && (!good || n == decimals[i].want), "decimal %s, %u digits",
           decimals[i].text, decimals[i].digits);
    }
    ok(!pos_json_int64(NULL, &n), "no value, no number");
}


static pos_str_t
cart(char *text)
{
    size_t n = (size_t) sprintf(text, "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\","
        "\"session\":\"s-1\",\"customer\":{\"id\":\"cus_1\",\"groups\":[\"staff\"]},"
        "\"coupons\":[\"SAVE10\"],\"lines\":[");

    for (int i = 0; i < 10; i++) {
        n += (size_t) sprintf(text + n, "%s{\"id\":\"%d\",\"sku\":\"SKU-%05d-XL\",\"quantity\":%d,"
            "\"attributes\":{\"colour\":\"red\",\"size\":\"m\"}}", i ? "," : "", i, i * 37, i + 1);
    }

    return pos_str_of(text, n + (size_t) sprintf(text + n, "],\"note\":\"caf\xC3\xA9 \\u20ac\\n\"}"));
}


static size_t
damage(char *text, size_t len, uint64_t *state)
{
    static const char *const pieces[] = { "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e",
        "\\u", "\\ud800", "\x80", "\xC3", "\xED\xA0\x80", "\xEF\xBB\xBF", "\n", " ", "\t", "\f", "\x1a",
        "null", "true", "1e999", "\"\"", "[]", "{}", "\\\\", "\\\"", "\x7f", "/", "\x01" };
    unsigned    edits = 1 + tap_random(state) % 3;

    while (edits--) {
        size_t      at = tap_random(state) % (len + 1), n;
        const char *piece = pieces[tap_random(state) % (sizeof(pieces) / sizeof(pieces[0]))];

        switch (tap_random(state) % 5) {
        case 0:
            text[at < len ? at : 0] = (char) tap_random(state);
            break;
        case 1:
            n = strlen(piece);
            memmove(text + at + n, text + at, len - at);
            memcpy(text + at, piece, n);
            len += n;
            break;
        case 2:
            n = tap_random(state) % 4;
            n = n > len - at ? len - at : n;
            memmove(text + at, text + at + n, len - at - n);
            len -= n;
            break;
        case 3:
            len = tap_random(state) % 4 ? len : at;
            break;
        default:
            n = strlen(piece);
            n = n > len - at ? len - at : n;
            memcpy(text + at, piece, n);
            break;
        }
    }

    return len;
}


static void
differential(void)
{
    static const char *const seeds[] = {
        "[1,2.5,-3e-7,\"a\\\"b\\\\\",{\"k\":[true,false,null]},\"\\ud83d\\ude00\"]",
        "{\"a\":{\"b\":[[[]]],\"c\":\"x\"},\"d\":0}", "\"\\\\\\\"\\u0041\"", "[0,-0,1e5]",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    };
    char            base[4096], text[8192];
    int             round, wrong = 0, taken = 0, again = 0, missing = 0;
    uint64_t        state = 11;
    pos_str_t       s, second;
    pos_json_t     *root;
    pos_faults_t    faults;
    pos_writer_t    w;
    pos_json_spot_t spot;

    for (round = 0; round < 60000; round++) {
        s = round % 3 ? pos_str_z(seeds[(size_t) round % 5]) : cart(base);
        memcpy(text, s.data, s.len);
        s = pos_str_of(text, damage(text, s.len, &state));

        pos_status_t status = take(s, &faults, &root);
        bool plain = pos_json_scan(s, &spot);

        if (status == POS_INVALID && strcmp(faults.first->code, "json_duplicate_key") == 0) {
            continue;    /* told before what is wrong behind it */
        }

        if ((status == POS_OK) != plain) {
            wrong++;
            printf("# door %d, scanner %d: %.*s\n", status, plain, (int) s.len, s.data);
        }

        missing += status == POS_INVALID && faults.first->line == 0;
        taken += plain;

        if (status == POS_OK) {
            pos_writer_init(&w, arena, 4096, 65536);
            pos_write_json(&w, root);
            second = pos_writer_result(&w);
            again += !pos_json_scan(second, &spot);
        }
    }

    is_int(wrong, 0, "door and scanner agree on 60,000 damaged texts (%d were still JSON)", taken);
    is_int(missing, 0, "each refusal has its line");
    is_int(again, 0, "what was taken is written as JSON again");
}


static void
sizes(void)
{
    char              *big = malloc(3000000);
    pos_json_t        *root;
    pos_faults_t       faults;
    pos_json_reader_t *small = pos_json_reader_create(100);

    pos_faults_init(&faults, arena);
    memset(big, ' ', 3000000);
    big[0] = '1';
    ok(pos_json_read(small, pos_str_of(big, 100), arena, &faults, &root) == POS_OK, "as large as allowed");
    ok(pos_json_read(small, pos_str_of(big, 101), arena, &faults, &root) == POS_INVALID
           && strcmp(faults.first->code, "body_too_large") == 0,
       "one byte too large");
    pos_json_reader_destroy(small);
    ok(take(pos_str_of(big, 3000000), &faults, &root) == POS_OK, "three megabytes");
    ok(take(pos_str("[1]"), &faults, &root) == POS_OK, "and then a small one");
    free(big);
    pos_json_reader_destroy(NULL);
}


static void
torture(void)
{
    char         text[4096];
    pos_str_t    s = cart(text);
    uint64_t     n;
    pos_json_t  *root;
    pos_status_t status = POS_NO_MEMORY;
    pos_arena_t *small;
    pos_faults_t faults;

    for (n = 1; n < 200 && status == POS_NO_MEMORY; n++) {
        small = pos_arena_create(64, 0);
        pos_faults_init(&faults, small);
        pos_arena_fail_nth(n);
        status = pos_json_read(reader, s, small, &faults, &root);
        pos_arena_fail_nth(0);
        pos_arena_destroy(small);
    }

    ok(status == POS_OK && n > 3, "without memory at any of %d steps it says so", (int) n - 2);
}


static int
bench(void)
{
    enum { ROUNDS = 300000 };
    char            text[4096];
    pos_str_t       s = cart(text);
    pos_json_t     *root;
    int64_t         start = tap_cpu_ns();

    for (int i = 0; i < ROUNDS; i++) {
        pos_arena_reset(arena);
        if (pos_json_read(reader, s, arena, NULL, &root) != POS_OK) {
            return EXIT_FAILURE;
        }
    }
    printf("json door: a cart of 10 lines, %zu bytes: %.0f ns\n", s.len,
           (double) (tap_cpu_ns() - start) / ROUNDS);

    return EXIT_SUCCESS;
}


int
main(int argc, char **argv)
{
    int status;

    arena = pos_arena_create(65536, 0);
    reader = pos_json_reader_create(8 << 20);

    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        status = bench();

    } else {
        accepted();
        refused();
        depth();
        duplicates();
        tree();
        numbers();
        differential();
        sizes();
        torture();
        status = tap_done();
    }

    pos_json_reader_destroy(reader);
    pos_arena_destroy(arena);

    return status;
}
