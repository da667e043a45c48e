/*
 * Scripts that mean harm (t/hostile), each alone in a book beside a promotion of data: what
 * a quote makes of it, and what it took by other clocks than the sandbox's own. A hook of ours
 * counts instructions, malloc's bytes are those that the process asked for.
 *
 * Of all files, or of those that are named.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <glob.h>
#include <malloc.h>

#include "engine/script_vm.h"
#include "engine/t/shop.h"

#define SLICE  100       /* instructions */

static pos_script_vm_t *watched;

/* ---- instructions, by a hook before the sandbox's own ---- */

typedef int (*sethook_t)(lua_State *L, lua_Hook hook, int mask, int count);

static struct {
    lua_Hook hook;
    int      left;
    int64_t  ran;
} counted;

static sethook_t
real_sethook(void)
{
    static sethook_t real;

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "lua_sethook");
    }
    return real;
}

static void
arm(lua_State *L);

static void
slice_over(lua_State *L, lua_Debug *debug)
{
    int ran = counted.left < SLICE ? counted.left : SLICE;

    counted.ran += ran;
    counted.left -= ran;
    if (counted.left <= 0) {
        counted.left = 1;
        arm(L);
        counted.hook(L, debug);
        return;
    }
    arm(L);
}

static void
arm(lua_State *L)
{
    (void) real_sethook()(L, slice_over, LUA_MASKCOUNT, counted.left < SLICE ? counted.left : SLICE);
}

/* In place of LuaJIT's, for the sandbox. */
__attribute__((visibility("default"))) int
lua_sethook(lua_State *L, lua_Hook hook, int mask, int count)
{
    if (mask != LUA_MASKCOUNT || hook == NULL) {
        return real_sethook()(L, hook, mask, count);
    }
    counted.hook = hook;
    counted.left = count;
    if (count > SLICE) {    /* a call begins */
        counted.ran = 0;
    }
    arm(L);
    return 1;
}

/* ---- bytes of the process, while a script is called ---- */

static struct {
    int64_t now, start, most;
    bool    called;
} bytes;

#if !POS_ARENA_GUARDED

static void
count_bytes(int64_t change)
{
    bool called = watched != NULL && watched->phase == POS_PHASE_CALL;

    bytes.now += change;
    if (called && !bytes.called) {
        bytes.start = bytes.now - change;
    }
    bytes.called |= called;
    if (called && bytes.now - bytes.start > bytes.most) {
        bytes.most = bytes.now - bytes.start;
    }
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void  __libc_free(void *p);

static void *
noted(void *p)
{
    count_bytes(p == NULL ? 0 : (int64_t) malloc_usable_size(p));
    return p;
}

__attribute__((visibility("default"))) void *malloc(size_t size) { return noted(__libc_malloc(size)); }
__attribute__((visibility("default"))) void *calloc(size_t n, size_t size) { return noted(__libc_calloc(n, size)); }
__attribute__((visibility("default"))) void *aligned_alloc(size_t to, size_t size) { return noted(__libc_memalign(to, size)); }

__attribute__((visibility("default"))) void
free(void *p)
{
    count_bytes(p == NULL ? 0 : -(int64_t) malloc_usable_size(p));
    __libc_free(p);
}

__attribute__((visibility("default"))) void *
realloc(void *p, size_t size)
{
    int64_t was = p == NULL ? 0 : (int64_t) malloc_usable_size(p);
    void   *now = __libc_realloc(p, size);

    if (now != NULL || size == 0) {
        count_bytes((now == NULL ? 0 : (int64_t) malloc_usable_size(now)) - was);
    }
    return now;
}

#endif

/* ---- a quote ---- */

typedef struct {
    pos_str_t answer;
    int64_t   instructions, work, used, memory;
    double    ms;
} took_t;

#define LONGEST_MS  500      /* of processor time; a worker's watchdog waits for 1000 */

static const char cart_text[] =
    "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"at\":\"2026-06-01T12:00:00Z\",\"explain\":true,"
    "\"customer\":{\"id\":\"c\",\"groups\":[\"staff\"],\"orders\":3},\"attributes\":{\"note\":\"a note\"},"
    "\"lines\":[{\"id\":\"1\",\"sku\":\"BOOT\",\"quantity\":2},{\"id\":\"2\",\"sku\":\"TEE\",\"quantity\":2},"
    "{\"id\":\"3\",\"sku\":\"CHEESE\",\"quantity\":0.354}]}";

/* Another script of the same VM: it looks whether anything that all share has changed. */
static const char neighbour[] =
    "return promotion { id = \"%s\", class = \"line\", apply = function(cart)\n"
    "local s = \"\" for k, v in pairs({ b = 2, a = 1 }) do s = s .. k .. v end\n"
    "local sound = s == \"a1b2\" and (\"x\"):upper() == \"X\" and math.floor(1.5) == 1 and string.rep == nil\n"
    "  and tostring(cart) == \"cart\" and json.decode(\"[1]\")[1] == 1 and re.match(\"ab\", \"b\") == \"b\" and owned == nil\n"
    "cart:items { sku = { \"TEE\" } }:amount_off(sound and 7 or 1, \"x\", \"line\") end }";

static took_t
quote(shop_t *s)
{
    took_t              t = { 0 };
    pos_quote_options_t options = shop_options(s);
    pos_quote_stats_t   stats;
    int64_t             start;

    watched = s->vm;
    counted.ran = 0;
    bytes.called = false;
    bytes.most = 0;
    start = tap_cpu_ns();
    t.answer = shop_quote(s, &options, cart_text, &stats);
    t.ms = (double) (tap_cpu_ns() - start) / 1e6;
    t.instructions = counted.ran;
    t.work = (int64_t) s->vm->work;
    t.used = (int64_t) s->vm->used;
    t.memory = bytes.most;
    watched = NULL;
    return t;
}

static void
write_script(pos_writer_t *w, const char *id, pos_str_t source)
{
    pos_write_bytes(w, pos_str(",{\"id\":\""));
    pos_write_bytes(w, pos_str_z(id));
    pos_write_bytes(w, pos_str("\",\"script\":"));
    w->comma = false;
    pos_write_string(w, source);
    pos_write_bytes(w, pos_str("}"));
}

/* The script alone beside a promotion of data, or between two of its kind. */
static bool
open_book(shop_t *s, pos_str_t source, bool neighbours)
{
    pos_arena_t *arena = pos_arena_create(1u << 16, 0);
    pos_writer_t w;
    char         text[2][1000];
    bool         good;

    snprintf(text[0], sizeof(text[0]), neighbour, "a-neighbour");
    snprintf(text[1], sizeof(text[1]), neighbour, "z-neighbour");
    pos_writer_init(&w, arena, 4096, 4 << 20);
    pos_write_bytes(&w, pos_str("{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"}," SHOP_GOODS ","
        "\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000},{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":1000},"
        "{\"sku\":\"CHEESE\",\"list\":\"base\",\"amount\":1249}],\"promotions\":["
        "{\"id\":\"witness\",\"class\":\"line\",\"then\":[{\"percent_off\":10,\"items\":{\"sku\":[\"CHEESE\"]}}]}"));
    if (neighbours) {
        write_script(&w, "a-neighbour", pos_str_z(text[0]));
    }
    write_script(&w, "hostile", source);
    if (neighbours) {
        write_script(&w, "z-neighbour", pos_str_z(text[1]));
    }
    pos_write_bytes(&w, pos_str("]}"));
    good = shop_make(s, pos_writer_result(&w), 65536, 4 << 20, 1000) == POS_OK;
    pos_arena_destroy(arena);
    return good;
}

/* ---- what the files expect ---- */

static const char *path;

/* "-- expect: refused CODE [LINE]", "… skipped [KIND [TEXT|TEXT]]", "… discount N|* [MESSAGE]". */
typedef struct {
    char kind[16], what[48], text[160];
} expect_t;

static bool
read_expect(pos_str_t source, expect_t *e)
{
    const char *at = memmem(source.data, source.len, "-- expect: ", 11);

    memset(e, 0, sizeof(*e));
    return at != NULL && sscanf(at + 11, "%15[a-z]%*1[ ]%47[^ \n]%*1[ ]%159[^\n]", e->kind, e->what, e->text) >= 1;
}

static const pos_json_t *
of_id(const pos_json_t *list, const char *id)
{
    const pos_json_t *v, *name;

    for (v = list ? list->first : NULL; v; v = v->next) {
        name = pos_json_get(v, "id");
        if (name != NULL && pos_str_eq(name->text, pos_str_z(id))) {
            return v;
        }
    }
    return NULL;
}

static pos_str_t
text_of(const pos_json_t *object, const char *name)
{
    const pos_json_t *v = object ? pos_json_get(object, name) : NULL;

    return v ? v->text : pos_str("");
}

static bool
holds(pos_str_t text, const char *part, size_t len)
{
    return memmem(text.data, text.len, part, len) != NULL;
}

/* One of what stands between bars. */
static bool
holds_any(pos_str_t text, const char *parts)
{
    const char *bar;

    for (; (bar = strchr(parts, '|')) != NULL; parts = bar + 1) {
        if (holds(text, parts, (size_t) (bar - parts))) {
            return true;
        }
    }
    return holds(text, parts, strlen(parts));
}

static bool
as_expected(const expect_t *e, const pos_json_t *answer)
{
    const pos_json_t *told = of_id(pos_json_get(answer, "explain"), "hostile");
    pos_str_t         reason = text_of(told, "reason"), detail = text_of(told, "detail");
    pos_str_t         amount = text_of(of_id(pos_json_get(answer, "promotions"), "hostile"), "amount");
    bool              limit = holds(detail, "over the limit of ", 18), good;
    char              which[80];

    if (strcmp(e->kind, "discount") == 0) {
        amount = amount.len ? amount : pos_str("0");
        good = !pos_str_eq(reason, pos_str("script_error")) && (strcmp(e->what, "*") == 0 || pos_str_eq(amount, pos_str_z(e->what)))
               && (e->text[0] == '\0' || holds(text_of(pos_json_get(answer, "messages")->first, "text"), e->text, strlen(e->text)));
    } else {
        snprintf(which, sizeof(which), "over the limit of %s", e->what);
        good = pos_str_eq(reason, pos_str("script_error"))
               && (e->what[0] == '\0' || (strcmp(e->what, "error") == 0 ? !limit && holds_any(detail, e->text) : holds(detail, which, strlen(which))));
    }
    if (!good) {
        printf("# %s: %.*s %.*s, discount %.*s %.*s\n", path, (int) reason.len, reason.data, (int) detail.len, detail.data,
            (int) amount.len, amount.data, (int) pos_json_get(answer, "messages")->text.len, pos_json_get(answer, "messages")->text.data);
    }
    return good;
}

/* ---- a file ---- */

static void
told(const took_t *t)
{
    printf("# %s: %lld instructions, %lld work, %lld of memory, %lld bytes of the process, %.1f ms\n", path, (long long) t->instructions,
        (long long) t->work, (long long) t->used, (long long) t->memory, t->ms);
}

/* Twice what a call may have, at the most; and no longer than no worker is ended for. */
static bool
within(const shop_t *s, const took_t *t)
{
    bool good = t->instructions <= 2 * (int64_t) s->vm->limits.instructions && t->work <= 2 * (int64_t) s->vm->limits.instructions
                && t->memory <= 2 * (int64_t) s->vm->limits.call_memory && (POS_ARENA_GUARDED || t->ms < LONGEST_MS);

    if (!good) {
        told(t);
    }
    return good;
}

static pos_json_t *
parsed(shop_t *s, pos_str_t answer)
{
    pos_faults_t faults;
    pos_json_t  *json;

    pos_faults_init(&faults, s->arena);
    return pos_json_read(s->reader, answer, s->arena, &faults, &json) == POS_OK ? json : NULL;
}

/* Alone: what it comes to, thrice the same by the byte and by what was charged. */
static void
check_alone(shop_t *s, const expect_t *e)
{
    took_t            t[3];
    const pos_json_t *answer;
    bool              good, sum;

    for (int i = 0; i < 3; i++) {
        t[i] = quote(s);
    }
    answer = parsed(s, t[0].answer);
    good = answer != NULL && pos_json_get(answer, "explain") != NULL && as_expected(e, answer);
    sum = answer != NULL && pos_str_eq(text_of(of_id(pos_json_get(answer, "promotions"), "witness"), "amount"), pos_str("44"));
    good &= within(s, &t[0]) && within(s, &t[1]) && within(s, &t[2]);
    if (!pos_str_eq(t[0].answer, t[1].answer) || !pos_str_eq(t[0].answer, t[2].answer) || t[0].work != t[1].work
        || t[0].instructions / 1000 != t[1].instructions / 1000)
    {
        told(&t[0]);
        told(&t[1]);
        good = false;
    }
    ok(good, "%s: %s %s", path, e->kind, e->what);
    if (strcmp(e->what, "*") != 0) {
        ok(sum, "%s: the promotion of data gives what it gives", path);
    }
}

/* 7 where it found all as it was, 1 where not; nothing where the other one was better. */
static bool
sound(const pos_json_t *answer, const char *id, unsigned *applied)
{
    pos_str_t amount = text_of(of_id(pos_json_get(answer, "promotions"), id), "amount");

    *applied += amount.len > 0;
    return (amount.len == 0 || pos_str_eq(amount, pos_str("7")))
           && !pos_str_eq(text_of(of_id(pos_json_get(answer, "explain"), id), "reason"), pos_str("script_error"));
}

static void
check_between(shop_t *s)
{
    took_t            t = quote(s);
    const pos_json_t *answer = parsed(s, t.answer);
    unsigned          applied = 0;

    ok(answer != NULL && sound(answer, "a-neighbour", &applied) && sound(answer, "z-neighbour", &applied) && applied > 0,
        "%s: other scripts find all as it was", path);
}

/* At the door: the sandbox's own faults, or the document's. */
static void
check_refused(const expect_t *e, pos_str_t source)
{
    shop_t                  s, book;
    pos_faults_t            faults;
    pos_script_promotion_t *list;
    uint32_t                count = 0;
    pos_status_t            status;
    const char             *code = "none";
    unsigned                line = 0, want = (unsigned) atoi(e->text);
    bool                    good;

    ok(shop_open(&s, NULL), "%s: a sandbox", path);
    pos_faults_init(&faults, s.arena);
    status = pos_script_load(s.vm, source, pos_str("t"), NULL, pos_str("/script"), s.arena, &faults, &list, &count);
    if (status == POS_INVALID && faults.first != NULL) {
        code = faults.first->code;
        line = faults.first->line;
    }
    for (uint32_t i = 0; i < count && status == POS_OK; i++) {
        pos_script_release(list[i].script);
    }
    good = e->what[0] == '\0' || strcmp(code, e->what) == 0 || strcmp(code, "none") == 0;
    good &= want == 0 || want == line;
    ok(good, "%s: refused by %s, not %s at %u", path, e->what, code, line);
    shop_close(&s);
    good = open_book(&book, source, false);
    ok(!good, "%s: and by the book", path);
    shop_close(&book);
}

static void
check_file(pos_str_t source)
{
    expect_t e;
    shop_t   s;

    if (!ok(read_expect(source, &e), "%s says what is expected", path)) {
        return;
    }
    if (strcmp(e.kind, "refused") == 0) {
        check_refused(&e, source);
        return;
    }
    if (ok(open_book(&s, source, false), "%s loads", path)) {
        check_alone(&s, &e);
    }
    shop_close(&s);
    if (open_book(&s, source, true)) {
        check_between(&s);
    }
    shop_close(&s);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static unsigned
find_files(char **out, unsigned most)
{
    static char room[1000][120];
    unsigned    count = 0;
    glob_t      found;

    if (glob("t/hostile/*/*.lua", 0, NULL, &found) != 0) {
        return 0;
    }
    for (size_t i = 0; i < found.gl_pathc && count < most; i++) {
        snprintf(room[count], sizeof(room[count]), "%s", found.gl_pathv[i]);
        out[count] = room[count];
        count++;
    }
    globfree(&found);
    return count;
}

int
main(int argc, char **argv)
{
    static char *files[1000];
    unsigned     count = argc > 1 ? (unsigned) argc - 1 : find_files(files, 1000);

    setvbuf(stdout, NULL, _IOLBF, 0);
    ok(argc > 1 || count >= 150, "%u hostile files", count);
    qsort(files, argc > 1 ? 0 : count, sizeof(files[0]), by_name);
    for (unsigned i = 0; i < count; i++) {
        pos_str_t source;

        path = argc > 1 ? argv[i + 1] : files[i];
        source = tap_file(path);
        if (ok(source.data != NULL, "%s is read", path)) {
            check_file(source);
        }
        free((void *) (uintptr_t) source.data);
    }
    return tap_done();
}
