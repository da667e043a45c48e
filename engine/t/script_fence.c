/*
 * The second fence: a script that runs on within one instruction is seen from
 * outside, and what was quarantined is neither called nor loaded.
 */

#include <signal.h>

#include "base/cpu_timer.h"
#include "engine/t/script_fixture.h"

/* One instruction that compares 32 KiB, again and again: the first fence lets it
 * run for a hundred times what an ordinary script takes. */
#define LONG  "local a = 'x' for i = 1, 15 do a = a .. a end local b = a .. 'b' a = a .. 'a'" \
    " while true do if a < b and a < b and a < b and a < b then end end "

static struct {
    pos_script_watch_t     watch;
    volatile sig_atomic_t  ticks, seen, overran;
    char                   name[8];
    uint8_t                source[POS_SHA256_SIZE];
} fence;

static void
fence_tick(int signal)
{
    pos_str_t      name = pos_script_running(vm);
    const uint8_t *source = pos_script_running_source(vm);

    (void) signal;
    fence.ticks++;
    if (source != NULL && name.len < sizeof(fence.name)) {
        fence.seen++;
        memcpy(fence.name, name.data, name.len);
        fence.name[name.len] = '\0';
        memcpy(fence.source, source, sizeof(fence.source));
    }
    fence.overran |= pos_script_watch(&fence.watch, vm, 2);
}

static bool
fence_saw(const char *name, const char *source)
{
    uint8_t digest[POS_SHA256_SIZE];

    pos_sha256(pos_str_z(source), digest);
    return fence.seen > 0 && strcmp(fence.name, name) == 0
        && memcmp(fence.source, digest, sizeof(digest)) == 0;
}

static void
test_watch(void)
{
    static const char   called[] = "return promotion { id = 'p', class = 'line', apply = function(cart)\n" LONG "\nend }";
    static const char   quick[] = "return promotion { id = 'p', class = 'line', apply = function(cart)"
        " for i = 1, 1000 do local x = i end cart:items():percent_off(10, 'x') end }";
    pos_script_result_t r;
    pos_script_t       *script = load(called), *other = load(quick);
    timer_t             timer;
    int                 i;

    ok(script != NULL && other != NULL, "the watched scripts load: %s", said());
    ok(pos_cpu_timer_start(4000, fence_tick, &timer) == POS_OK, "a timer of processor time");
    ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && r.failed
        && strcmp(r.failure, "instructions") == 0, "a call that is slow ends by the first fence");
    ok(fence.overran && fence_saw("p", called), "the second saw it run on, and whose source it is: %s", fence.name);

    memset(&fence, 0, sizeof(fence));
    for (i = 0; (fence.seen < 3 || fence.ticks < 6) && i < 1000000; i++) {
        (void) !pos_script_apply(vm, other, &promotion, &cart, &r);
    }
    ok(fence.seen >= 3 && !fence.overran, "many short calls are no long one: %d ticks", (int) fence.ticks);

    memset(&fence, 0, sizeof(fence));
    ok(load(LONG) == NULL && fence.overran && fence_saw("t", LONG), "loading is watched too: %s", fence.name);
    pos_cpu_timer_stop(timer);
    pos_script_release(script);
    pos_script_release(other);
}

static void
test_quarantine(void)
{
    static const char       bad[] = "return promotion { id = 'p', class = 'line', apply = function(cart) end }";
    static pos_quarantine_t quarantine;
    uint8_t                 source[POS_SHA256_SIZE];
    pos_script_result_t     r;
    pos_script_t           *script, *other;
    int                     i;

    pos_script_vm_quarantine(vm, &quarantine);
    script = load(bad);
    other = load("return promotion { id = 'q', class = 'line', apply = function(cart) end }");
    ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && !r.failed,
        "a quarantine that is empty keeps nothing out");
    pos_sha256(pos_str_z(bad), source);
    (void) pos_quarantine_add(&quarantine, source, pos_str("a \"name\""));
    ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && r.failed
        && strcmp(r.failure, "quarantined") == 0 && r.failure_text.len > 0, "what is loaded is not called any more");
    ok(pos_script_apply(vm, other, &promotion, &cart, &r) == POS_OK && !r.failed, "others are");
    ok(load(bad) == NULL && strcmp(faults.first->code, "script_quarantined") == 0, "nor is it loaded");
    (void) pos_quarantine_add(&quarantine, source, pos_str("again"));
    ok(pos_quarantine_at(&quarantine, 0)->len == 8 && memcmp(pos_quarantine_at(&quarantine, 0)->promotion, "a ?name?", 8) == 0
        && pos_quarantine_at(&quarantine, 1) == NULL && quarantine.claimed == 2, "met twice, it is listed once, its name without quotes");
    for (i = 0; i < POS_QUARANTINE_MAX; i++) {
        source[0]++;
        (void) pos_quarantine_add(&quarantine, source, pos_str("other"));
    }
    ok(pos_quarantine_holds(&quarantine, source) && pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && !r.failed,
        "the oldest gives way to the newest");
    pos_script_release(script);
    pos_script_release(other);
    pos_script_vm_quarantine(vm, NULL);
}

int
main(void)
{
    script_begin();
    test_watch();
    test_quarantine();
    return script_done();
}
