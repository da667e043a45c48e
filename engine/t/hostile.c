/*
 * Scripts that mean harm (t/hostile), each alone in a book beside a promotion of data: what
 * a quote makes of it, and what it took by other clocks than the sandbox's own. A hook of ours
 * counts instructions, malloc's bytes are those that the process asked for.
 *
 * With files as arguments it only tells what each took.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
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

#if !POS_ARENA_GUARDED

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

static const char *cart_text;

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
make_cart(unsigned lines)
{
    static char text[400000];
    size_t      n = (size_t) snprintf(text, sizeof(text), "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\","
        "\"at\":\"2026-06-01T12:00:00Z\",\"customer\":{\"id\":\"c\",\"groups\":[\"staff\"],\"orders\":3},\"explain\":true,"
        "\"attributes\":{\"json\":\"{\\\"a\\\":[1,2.5,null]}\",\"note\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"},\"shipping\":{\"method\":\"m\",\"amount\":495},\"lines\":[");

    for (unsigned i = 0; i < lines; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s{\"id\":\"%u\",\"sku\":\"%s\",\"quantity\":%s,\"attributes\":{\"n\":\"%u\"}}",
            i ? "," : "", i + 1, i % 3 == 0 ? "BOOT" : i % 3 == 1 ? "TEE" : "CHEESE", i % 3 == 2 ? "0.354" : "2", i);
    }
    snprintf(text + n, sizeof(text) - n, "]}");
    cart_text = text;
}

static bool
open_book(shop_t *s, pos_str_t source)
{
    pos_arena_t *arena = pos_arena_create(1u << 16, 0);
    pos_writer_t w;
    bool         good;

    pos_writer_init(&w, arena, 4096, 4 << 20);
    pos_write_bytes(&w, pos_str("{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"}," SHOP_GOODS ","
        "\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000},{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":1000},"
        "{\"sku\":\"CHEESE\",\"list\":\"base\",\"amount\":1249}],\"promotions\":["
        "{\"id\":\"witness\",\"class\":\"line\",\"then\":[{\"percent_off\":10,\"items\":{\"sku\":[\"CHEESE\"]}}]},{\"id\":\"hostile\",\"script\":"));
    pos_write_string(&w, source);
    pos_write_bytes(&w, pos_str("}]}"));
    good = shop_make(s, pos_writer_result(&w), 65536, 4 << 20, 1000) == POS_OK;
    pos_arena_destroy(arena);
    return good;
}

/* ---- telling ---- */

static void
tell(const char *path)
{
    pos_str_t source = tap_file(path);
    shop_t    s;
    took_t    t;
    const char *at;

    printf("%s:", path);
    if (!open_book(&s, source)) {
        printf(" refused\n");
        return;
    }
    for (int i = 0; i < 3; i++) {
        t = quote(&s);
        if (i == 0) {
            at = strstr(t.answer.data, "\"detail\":\"");
            printf(" discount %.*s %.*s\n", (int) shop_member(&s, t.answer, "discount").len, shop_member(&s, t.answer, "discount").data,
                at ? (int) (strchr(at + 10, '"') - at) : 0, at ? at : "");
        }
        printf("    %ld instructions, %ld work, %ld used, %ld bytes, %.1f ms\n", (long) t.instructions, (long) t.work, (long) t.used, (long) t.memory, t.ms);
    }
    shop_close(&s);
}

int
main(int argc, char **argv)
{
    make_cart(getenv("LINES_") ? (unsigned) atoi(getenv("LINES_")) : 3);
    for (int i = 1; i < argc; i++) {
        tell(argv[i]);
    }
    return 0;
}
