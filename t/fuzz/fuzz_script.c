/* Any bytes as a Lua promotion. */

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t                i, count = 0;
    pos_arena_t            *arena = pos_arena_create(65536, 64 << 20);
    pos_faults_t            faults;
    pos_script_vm_t        *vm;
    pos_script_limits_t     limits;
    pos_script_promotion_t *promotions = NULL;

    pos_script_limits_default(&limits);

    if (arena != NULL && pos_script_vm_create(&limits, &vm) == POS_OK) {
        pos_faults_init(&faults, arena);
        if (pos_script_load(vm, pos_str_of((const char *) data, size), pos_str("fuzz"), NULL, pos_str(""), arena, &faults,
                &promotions, &count)
            == POS_OK)
        {
            for (i = 0; i < count; i++) {
                if (promotions[i].script) {
                    pos_script_release(promotions[i].script);
                }
            }
        }
        pos_script_vm_destroy(vm);
    }

    pos_arena_destroy(arena);

    return 0;
}
