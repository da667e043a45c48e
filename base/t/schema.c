/* JSON Schema: a table of schemas, values and the faults they must have. */

#include "base/schema.h"
#include "base/t/tap.h"


static pos_arena_t       *arena;
static pos_json_reader_t *reader;
static pos_schema_set_t  *set;    /* of the schema compiled last */

static const char document_text[] =
    "{\"components\":{\"schemas\":{"
    "\"Node\":{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"integer\"},"
    "\"next\":{\"$ref\":\"#/components/schemas/Node\"}},\"required\":[\"value\"]},"
    "\"Condition\":{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"not\":{\"$ref\":\"#/components/schemas/Condition\"}},\"required\":[\"not\"]},"
    "{\"type\":\"object\",\"properties\":{\"all\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Condition\"}}},\"required\":[\"all\"]},"
    "{\"type\":\"object\",\"properties\":{\"min\":{\"type\":\"integer\",\"minimum\":0}},\"required\":[\"min\"]}]},"
    "\"a/b~c\":{\"type\":\"string\"}}}}";

typedef struct {
    const char *schema;
    const char *value;
    const char *faults;   /* "pointer code, pointer code"; "" when valid */
} case_t;


static void
fresh(void)
{
    pos_schema_set_destroy(set);
    set = NULL;
    pos_arena_reset(arena);
}


static pos_json_t *
parse(const char *text)
{
    pos_json_t  *root = NULL;
    pos_faults_t faults;

    pos_faults_init(&faults, arena);
    if (pos_json_read(reader, pos_str_z(text), arena, &faults, &root) != POS_OK) {
        printf("Bail out! not JSON: %s\n", text);
        exit(EXIT_FAILURE);
    }

    return root;
}


static pos_status_t
compile_text(const char *text, pos_faults_t *faults, const pos_schema_t **schema)
{
    pos_schema_set_destroy(set);
    set = NULL;
    pos_faults_init(faults, arena);
    if (pos_schema_set_create(arena, parse(document_text), &set) != POS_OK) {
        return POS_NO_MEMORY;
    }

    return pos_schema_compile(set, parse(text), pos_str("/s"), faults, schema);
}


/* All faults as one line, in the order found. */
static pos_str_t
faults_text(const pos_faults_t *faults)
{
    pos_str_t          text = pos_str("");
    const pos_fault_t *f;

    for (f = faults->first; f; f = f->next) {
        text = pos_arena_printf(arena, "%.*s%s%.*s %s", (int) text.len, text.data, text.len ? ", " : "",
                                (int) f->pointer.len, f->pointer.data, f->code);
    }

    return text;
}


static void
table(const case_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pos_status_t        status;
        pos_faults_t        faults;
        const pos_schema_t *schema;

        fresh();

        if (compile_text(cases[i].schema, &faults, &schema) != POS_OK) {
            ok(false, "compiles: %s", cases[i].schema);
            continue;
        }

        status = pos_schema_validate(schema, parse(cases[i].value), pos_str(""), &faults);
        is_str(faults_text(&faults), cases[i].faults, "%s by %s", cases[i].value, cases[i].schema);

        if ((status == POS_OK) != (cases[i].faults[0] == '\0')) {
            ok(false, "and the result says the same");
        }
    }
}


static void
types(void)
{
    static const case_t cases[] = {
        { "true", "[1]", "" },
        { "{}", "{\"any\":1}", "" },
        { "false", "1", " unknown_field" },
        { "{\"type\":\"integer\"}", "12", "" },
        { "{\"type\":\"integer\"}", "-0", "" },
        { "{\"type\":\"integer\"}", "1.0", " type" },
        { "{\"type\":\"integer\"}", "1e2", " type" },
        { "{\"type\":\"integer\"}", "\"12\"", " type" },
        { "{\"type\":\"integer\"}", "null", " type" },
        { "{\"type\":\"integer\"}", "true", " type" },
        { "{\"type\":\"number\"}", "1.5", "" },
        { "{\"type\":\"number\"}", "1", "" },
        { "{\"type\":\"string\"}", "\"x\"", "" },
        { "{\"type\":\"string\"}", "[]", " type" },
        { "{\"type\":\"boolean\"}", "false", "" },
        { "{\"type\":\"boolean\"}", "0", " type" },
        { "{\"type\":\"null\"}", "null", "" },
        { "{\"type\":\"null\"}", "0", " type" },
        { "{\"type\":\"array\"}", "[1,\"x\"]", "" },
        { "{\"type\":\"array\"}", "{}", " type" },
        { "{\"type\":\"object\"}", "{\"x\":1}", "" },
        { "{\"type\":\"object\"}", "[]", " type" },
        { "{\"type\":[\"string\",\"null\"]}", "null", "" },
        { "{\"type\":[\"string\",\"null\"]}", "\"x\"", "" },
        { "{\"type\":[\"string\",\"null\"]}", "1", " type" },
        { "{\"enum\":[\"a\",1,null]}", "\"a\"", "" },
        { "{\"enum\":[\"a\",1,null]}", "1.0", "" },
        { "{\"enum\":[\"a\",1,null]}", "null", "" },
        { "{\"enum\":[\"a\",1,null]}", "\"1\"", " enum" },
        { "{\"enum\":[\"a\"]}", "\"A\"", " enum" },
        { "{\"const\":{\"a\":1,\"b\":[1,2]}}", "{\"b\":[1,2],\"a\":1}", "" },
        { "{\"const\":{\"a\":1}}", "{\"a\":2}", " const" },
        { "{\"const\":[1,2]}", "[2,1]", " const" },
    };

    table(cases, sizeof(cases) / sizeof(cases[0]));
}


static void
numbers(void)
{
    static const case_t cases[] = {
        { "{\"minimum\":1}", "1", "" },
        { "{\"minimum\":1}", "0.999999999", " min" },
        { "{\"minimum\":-5}", "-5.1", " min" },
        { "{\"maximum\":100}", "100", "" },
        { "{\"maximum\":100}", "100.000000001", " max" },
        { "{\"maximum\":9223372036854775807}", "9223372036854775807", "" },
        { "{\"maximum\":9223372036854775807}", "9223372036854775808", " max" },
        { "{\"exclusiveMinimum\":0}", "0", " min" },
        { "{\"exclusiveMinimum\":0}", "-0", " min" },
        { "{\"exclusiveMinimum\":0}", "0.001", "" },
        { "{\"multipleOf\":0.0001}", "12.3456", "" },
        { "{\"multipleOf\":0.0001}", "12.34567", " multiple_of" },
        { "{\"multipleOf\":5}", "15", "" },
        { "{\"multipleOf\":5}", "16", " multiple_of" },
        { "{\"multipleOf\":0.1}", "0.3", "" },
        { "{\"minimum\":0}", "1e999", " number" },
        { "{\"minimum\":0}", "99999999999999999999999999999999999999999999999999", " number" },
        { "{\"minimum\":0,\"maximum\":10,\"multipleOf\":2}", "-3", " min,  multiple_of" },
        { "{\"minimum\":1}", "\"0\"", "" },
    };

    table(cases, sizeof(cases) / sizeof(cases[0]));
}


static void
strings(void)
{
    static const case_t cases[] = {
        { "{\"minLength\":2}", "\"ab\"", "" },
        { "{\"minLength\":2}", "\"a\"", " min_length" },
        { "{\"minLength\":2}", "\"\xF0\x9F\x98\x80\"", " min_length" },
        { "{\"maxLength\":2}", "\"\xC3\xA9\xF0\x9F\x98\x80\"", "" },
        { "{\"maxLength\":2}", "\"abc\"", " max_length" },
        { "{\"x-pos-max-bytes\":4}", "\"\xF0\x9F\x98\x80\"", "" },
        { "{\"x-pos-max-bytes\":4}", "\"\xC3\xA9\xC3\xA9\xC3\xA9\"", " max_length" },
        { "{\"pattern\":\"^[A-Z]+$\"}", "\"ABC\"", "" },
        { "{\"pattern\":\"^[A-Z]+$\"}", "\"ABC\\n\"", " pattern" },
        { "{\"pattern\":\"^[A-Z]+$\"}", "\"\"", " pattern" },
        { "{\"pattern\":\"b\"}", "\"abc\"", "" },
        { "{\"pattern\":\"^.$\"}", "\"\xE2\x82\xAC\"", "" },
        { "{\"maxLength\":1000,\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", " pattern" },
        { "{\"format\":\"date-time\"}", "\"2026-11-27T09:00:00Z\"", "" },
        { "{\"format\":\"date-time\"}", "\"2026-11-27T09:00:00\"", "" },
        { "{\"format\":\"date-time\"}", "\"2026-02-30T09:00:00Z\"", " format" },
        { "{\"format\":\"date-time\"}", "\"yesterday\"", " format" },
        { "{\"format\":\"date\"}", "\"2024-02-29\"", "" },
        { "{\"format\":\"date\"}", "\"2025-02-29\"", " format" },
        { "{\"format\":\"currency\"}", "\"GBP\"", "" },
        { "{\"format\":\"currency\"}", "\"XYZ\"", " format" },
        { "{\"format\":\"ulid\"}", "\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"", "" },
        { "{\"format\":\"ulid\"}", "\"01ARZ3NDEKTSV4RRFFQ69G5FAU\"", " format" },
        { "{\"format\":\"email\"}", "\"a@b.example\"", "" },
        { "{\"format\":\"email\"}", "\"a.b.example\"", " format" },
        { "{\"format\":\"email\"}", "\"\"", " format" },
        { "{\"format\":\"uri\"}", "\"https://example.com/a?b=c\"", "" },
        { "{\"format\":\"uri\"}", "\"no uri\"", " format" },
        { "{\"format\":\"date\"}", "7", "" },
        { "{\"minLength\":3,\"pattern\":\"^x\",\"format\":\"date\"}", "\"a\"", " min_length,  pattern,  format" },
    };

    table(cases, sizeof(cases) / sizeof(cases[0]));
}


static void
arrays_and_objects(void)
{
    static const case_t cases[] = {
        { "{\"minItems\":1}", "[]", " min_items" },
        { "{\"maxItems\":1}", "[1,2]", " max_items" },
        { "{\"items\":{\"type\":\"integer\"}}", "[1,\"x\",2,null]", "/1 type, /3 type" },
        { "{\"items\":{\"type\":\"integer\"}}", "[]", "" },
        { "{\"uniqueItems\":true}", "[1,\"1\",[1],{\"a\":1}]", "" },
        { "{\"uniqueItems\":true}", "[1,2,1.0]", "/2 not_unique" },
        { "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "/1 not_unique" },
        { "{\"uniqueItems\":false}", "[1,1]", "" },
        { "{\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{\"a\":1}", "" },
        { "{\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{\"a\":1,\"b\":2,\"c\":3}", "/b unknown_field, /c unknown_field" },
        { "{\"properties\":{\"a\":{}},\"additionalProperties\":true}", "{\"b\":2}", "" },
        { "{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"string\"}}", "{\"a\":1,\"b\":\"x\",\"c\":3}", "/c type" },
        { "{\"additionalProperties\":false}", "{\"a\":1}", "/a unknown_field" },
        { "{\"additionalProperties\":false,\"properties\":{\"a\":{}}}", "{\"a\":1}", "" },
        { "{\"required\":[\"a\",\"b\"]}", "{}", "/a required, /b required" },
        { "{\"required\":[\"a\"]}", "{\"a\":null}", "" },
        { "{\"required\":[\"a\"],\"properties\":{\"a\":{},\"b\":{}}}", "{\"b\":1}", "/a required" },
        { "{\"minProperties\":1}", "{}", " min_properties" },
        { "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", " max_properties" },
        { "{\"propertyNames\":{\"pattern\":\"^[a-z]+$\",\"maxLength\":3}}", "{\"abc\":1,\"A\":1,\"abcd\":1}", "/A pattern, /abcd max_length" },
        { "{\"properties\":{\"a/b\":{\"properties\":{\"~\":{\"type\":\"null\"}}}}}", "{\"a/b\":{\"~\":1}}", "/a~1b/~0 type" },
        { "{\"type\":\"object\",\"properties\":{\"l\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"s\"],"
          "\"properties\":{\"s\":{\"type\":\"string\"},\"q\":{\"type\":\"integer\",\"minimum\":1}}}}}}",
          "{\"l\":[{\"s\":\"x\",\"q\":0},{\"q\":1},{\"s\":1,\"z\":0}],\"m\":1}",
          "/l/0/q min, /l/1/s required, /l/2/s type, /l/2/z unknown_field, /m unknown_field" },
        /* Members in any order are found. */
        { "{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"},\"c\":{\"type\":\"integer\"}}}",
          "{\"c\":1,\"a\":\"x\",\"b\":2}", "/a type" },
    };

    table(cases, sizeof(cases) / sizeof(cases[0]));
}


static void
combined(void)
{
    static const case_t cases[] = {
        { "{\"allOf\":[{\"type\":\"integer\"},{\"minimum\":3}]}", "5", "" },
        { "{\"allOf\":[{\"minimum\":3},{\"multipleOf\":2}]}", "1", " min,  multiple_of" },
        { "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}", "\"x\"", "" },
        { "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"maxLength\":1}]}", "\"xy\"", " max_length" },
        { "{\"anyOf\":[{\"properties\":{\"a\":{\"minLength\":1},\"b\":{\"type\":\"integer\"}}},{\"type\":\"null\"},"
          "{\"type\":\"object\",\"maxProperties\":0}]}", "{\"a\":\"\",\"b\":\"\"}", "/a min_length, /b type" },
        { "{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":3}]}", "1", "" },
        { "{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":3}]}", "5", " one_of" },
        { "{\"oneOf\":[{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"integer\"}}},"
          "{\"type\":\"object\",\"required\":[\"b\"],\"properties\":{\"b\":{\"type\":\"integer\"}}}]}",
          "{\"b\":\"x\"}", "/b type" },
        { "{\"not\":{\"type\":\"null\"}}", "null", " not" },
        { "{\"not\":{\"type\":\"null\"}}", "1", "" },
        { "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"required\":[\"c\"]}}", "{\"a\":1}", "/b required" },
        { "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"required\":[\"c\"]}}", "{}", "/c required" },
        { "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}", "{}", "" },
        { "{\"$ref\":\"#/components/schemas/Node\"}", "{\"value\":1,\"next\":{\"value\":2}}", "" },
        { "{\"$ref\":\"#/components/schemas/Node\"}", "{\"value\":1,\"next\":{\"value\":\"x\",\"next\":{}}}", "/next/value type, /next/next/value required" },
        { "{\"$ref\":\"#/components/schemas/a~1b~0c\"}", "1", " type" },
        { "{\"$ref\":\"#/components/schemas/Condition\"}", "{\"all\":[{\"min\":1},{\"not\":{\"min\":2}}]}", "" },
        { "{\"$ref\":\"#/components/schemas/Condition\"}", "{\"all\":[{\"min\":1},{\"not\":{\"min\":-2}}]}", "/all/1/not/min min" },
    };

    table(cases, sizeof(cases) / sizeof(cases[0]));
}


static void
compiling(void)
{
    static const char *const bad[] = {
        "{\"minimun\":1}", "{\"type\":\"strnig\"}", "{\"type\":[\"string\",\"nul\"]}", "{\"type\":7}",
        "{\"format\":\"date-tiem\"}", "{\"pattern\":\"(\"}", "{\"pattern\":7}", "{\"enum\":[]}", "{\"enum\":7}",
        "{\"required\":\"a\"}", "{\"required\":[1]}", "{\"properties\":[]}", "{\"minLength\":-1}",
        "{\"minLength\":1.5}", "{\"minimum\":\"1\"}", "{\"multipleOf\":0}", "{\"uniqueItems\":1}",
        "{\"oneOf\":[]}", "{\"anyOf\":{}}", "{\"$ref\":\"#/components/schemas/None\"}", "{\"$ref\":\"other.json\"}",
        "{\"$ref\":7}", "{\"$ref\":\"#/components/schemas/Node\",\"type\":\"object\"}", "7", "[]", "null",
        "{\"properties\":{\"a\":{\"items\":{\"bogus\":1}}}}", "{\"patternProperties\":{}}", "{\"dependentRequired\":{}}",
        "{\"exclusiveMaximum\":1}", "{\"x-pos-max-bytes\":\"4\"}", "{\"properties\":{\"a\":{}},\"required\":[\"b\"]}", "{\"x-other\":1}",
    };
    static const char good[] = "{\"title\":\"t\",\"description\":\"d\",\"default\":1,\"example\":2,\"examples\":[3],"
        "\"deprecated\":true,\"readOnly\":true,\"writeOnly\":false,\"x-pos-note\":{\"any\":1},\"format\":\"int64\"}";
    size_t              i;
    pos_faults_t        faults;
    const pos_schema_t *schema;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fresh();
        ok(compile_text(bad[i], &faults, &schema) == POS_INVALID && faults.first
               && strcmp(faults.first->code, "schema_keyword") == 0,
           "no schema: %s", bad[i]);
    }

    fresh();
    ok(compile_text(good, &faults, &schema) == POS_OK, "annotations are taken");
    fresh();
    (void) compile_text("{\"properties\":{\"a\":{\"items\":{\"bogus\":1}},\"b\":{\"type\":\"x\"}}}", &faults, &schema);
    is_str(faults_text(&faults), "/s/properties/a/items/bogus schema_keyword, /s/properties/b/type schema_keyword",
           "a bad keyword is named with its place");
}


/* A hostile document must not cost more than its size warrants. */
static void
hostile(void)
{
    char               *text = malloc(2000000);
    size_t              i, n;
    int64_t             start = tap_cpu_ns();
    pos_faults_t        faults;
    const pos_schema_t *schema;

    fresh();
    (void) compile_text("{\"$ref\":\"#/components/schemas/Condition\"}", &faults, &schema);
    for (n = 0, i = 0; i < 31; i++) {
        n += (size_t) sprintf(text + n, "{\"not\":");
    }
    n += (size_t) sprintf(text + n, "7");
    for (i = 0; i < 31; i++) {
        text[n++] = '}';
    }
    text[n] = '\0';
    ok(pos_schema_validate(schema, parse(text), pos_str(""), &faults) == POS_INVALID && faults.count > 0,
       "a condition 31 deep that is wrong inside");

    fresh();
    (void) compile_text("{\"uniqueItems\":true}", &faults, &schema);
    for (n = 0, i = 0; i < 200000; i++) {
        n += (size_t) sprintf(text + n, "%c%zu", i ? ',' : '[', i);
    }
    memcpy(text + n, "]", 2);
    ok(pos_schema_validate(schema, parse(text), pos_str(""), &faults) == POS_INVALID, "200,000 members");
    is_str(faults_text(&faults), " max_items", "that must all differ are too many");

    fresh();
    (void) compile_text("{\"properties\":{\"a\":{}}}", &faults, &schema);
    for (n = 0, i = 0; i < 100000; i++) {
        n += (size_t) sprintf(text + n, "%c\"k%zu\":1", i ? ',' : '{', i);
    }
    memcpy(text + n, "}", 2);
    ok(pos_schema_validate(schema, parse(text), pos_str(""), &faults) == POS_INVALID, "100,000 unknown fields");
    is_int(faults.count, 100000, "are all counted");
    n = 0;
    for (const pos_fault_t *f = faults.first; f; f = f->next) {
        n++;
    }
    is_int(n, POS_FAULTS_MAX, "and the first hundred kept");
    ok(tap_cpu_ns() - start < INT64_C(5000000000), "in reasonable time");
    free(text);
}


static void
parameters(void)
{
    static const struct { const char *schema, *text, *faults; int type; } cases[] = {
        { "{\"type\":\"integer\",\"minimum\":1,\"maximum\":200}", "12", "", POS_JSON_NUMBER },
        { "{\"type\":\"integer\",\"minimum\":1,\"maximum\":200}", "500", "/query/q max", -1 },
        { "{\"type\":\"integer\"}", "12x", "/query/q type", -1 },
        { "{\"type\":\"integer\"}", "", "/query/q type", -1 },
        { "{\"type\":\"integer\"}", "007", "/query/q type", -1 },
        { "{\"type\":\"integer\"}", "+1", "/query/q type", -1 },
        { "{\"type\":\"integer\"}", " 1", "/query/q type", -1 },
        { "{\"type\":\"number\"}", "1.5", "", POS_JSON_NUMBER },
        { "{\"type\":\"boolean\"}", "true", "", POS_JSON_TRUE },
        { "{\"type\":\"boolean\"}", "false", "", POS_JSON_FALSE },
        { "{\"type\":\"boolean\"}", "yes", "/query/q type", -1 },
        { "{\"type\":\"string\",\"maxLength\":3}", "abc", "", POS_JSON_STRING },
        { "{\"type\":\"string\",\"maxLength\":3}", "12", "", POS_JSON_STRING },
        { "{\"type\":\"string\",\"maxLength\":3}", "abcd", "/query/q max_length", -1 },
        { "{\"type\":\"string\",\"pattern\":\"^.$\"}", "\xff", "/query/q utf8", -1 },
        { "{\"type\":\"string\",\"enum\":[\"a\",\"b\"]}", "c", "/query/q enum", -1 },
        { "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "1,2,3", "", POS_JSON_ARRAY },
        { "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "1,x,3", "/query/q/1 type", -1 },
        { "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":2}", "a,b,c", "/query/q max_items", -1 },
        { "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", "", "", POS_JSON_ARRAY },
    };
    pos_json_t         *out;
    pos_status_t        status;
    pos_faults_t        faults;
    const pos_schema_t *schema;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fresh();

        if (compile_text(cases[i].schema, &faults, &schema) != POS_OK) {
            ok(false, "compiles: %s", cases[i].schema);
            continue;
        }

        status = pos_schema_validate_text(schema, pos_str_z(cases[i].text), pos_str("/query/q"), &faults, &out);
        is_str(faults_text(&faults), cases[i].faults, "text %s by %s", cases[i].text, cases[i].schema);

        if (status == POS_OK) {
            is_int(out->type, cases[i].type, "has the right type");
        }
    }
}


static void
torture(void)
{
    uint64_t            n;
    pos_status_t        status = POS_NO_MEMORY;
    pos_faults_t        faults;
    pos_arena_t        *small;
    pos_json_t         *json, *document;
    const pos_schema_t *schema;

    fresh();
    document = parse(document_text);
    json = parse("{\"type\":\"object\",\"properties\":{\"n\":{\"$ref\":\"#/components/schemas/Node\"},"
                 "\"l\":{\"type\":\"array\",\"items\":{\"oneOf\":[{\"type\":\"string\",\"pattern\":\"^a\"},{\"type\":\"null\"}]}}},\"required\":[\"n\"]}");

    for (n = 1; n < 500 && status == POS_NO_MEMORY; n++) {
        small = pos_arena_create(64, 0);
        pos_faults_init(&faults, small);
        set = NULL;
        pos_arena_fail_nth(n);
        status = pos_schema_set_create(small, document, &set);
        if (status == POS_OK) {
            status = pos_schema_compile(set, json, pos_str("/s"), &faults, &schema);
        }
        pos_arena_fail_nth(0);
        pos_schema_set_destroy(set);
        set = NULL;
        pos_arena_destroy(small);
    }

    ok(status == POS_OK && n > 10, "compiling without memory at any of %d steps says so", (int) n - 2);
}


int
main(void)
{
    arena = pos_arena_create(65536, 0);
    reader = pos_json_reader_create(4 << 20);
    types();
    numbers();
    strings();
    arrays_and_objects();
    combined();
    compiling();
    hostile();
    parameters();
    torture();
    fresh();
    pos_json_reader_destroy(reader);
    pos_arena_destroy(arena);

    return tap_done();
}
