/* Any bytes as a Lua promotion; what loads prices carts. */

#include "t/fuzz/fuzz.h"

#include <stdlib.h>

/* Alone, in a VM of its own. */
static bool
loads(pos_str_t source, pos_arena_t *arena)
{
    uint32_t                i, count = 0;
    pos_status_t            status;
    pos_faults_t            faults;
    pos_script_vm_t        *vm;
    pos_script_limits_t     limits;
    pos_script_promotion_t *promotions = NULL;

    pos_script_limits_default(&limits);
    if (pos_script_vm_create(&limits, &vm) != POS_OK) {
        abort();
    }
    pos_faults_init(&faults, arena);
    status = pos_script_load(vm, source, pos_str("fuzz"), NULL, pos_str(""), arena, &faults, &promotions, &count);
    if (status == POS_INVALID && faults.count == 0) {
        abort();
    }
    for (i = 0; i < count && status == POS_OK; i++) {
        if (promotions[i].script) {
            pos_script_release(promotions[i].script);
        }
    }
    pos_script_vm_destroy(vm);

    return status == POS_OK;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pos_str_t     source = pos_str_of((const char *) data, size);
    pos_fuzz_t    f;
    pos_arena_t  *arena = pos_arena_create(65536, 64 << 20);
    pos_writer_t  w;

    pos_fuzz_takes_promotions();
    if (loads(source, arena)) {
        pos_writer_init(&w, arena, 4096, 1 << 20);
        pos_write_object_begin(&w);
        pos_write_key(&w, "id");
        pos_write_string(&w, pos_str("p"));
        pos_write_key(&w, "script");
        pos_write_string(&w, source);
        pos_write_object_end(&w);
        if (w.status == POS_OK && pos_fuzz_open_promotions(&f, pos_writer_result(&w))) {
            pos_fuzz_quote(&f, pos_str("{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"at\":\"2026-06-01T12:00:00Z\","
                                       "\"customer\":{\"id\":\"c\",\"groups\":[\"staff\"]},\"explain\":true,"
                                       "\"shipping\":{\"method\":\"m\",\"amount\":495},\"lines\":["
                                       "{\"id\":\"1\",\"sku\":\"BOOT\",\"quantity\":2},{\"id\":\"2\",\"sku\":\"CHEESE\",\"quantity\":0.354},"
                                       "{\"id\":\"3\",\"sku\":\"TEE\",\"quantity\":3,\"attributes\":{\"a\":\"b\"}}]}"));
            pos_fuzz_close(&f);
        }
    }
    pos_arena_destroy(arena);

    return 0;
}
