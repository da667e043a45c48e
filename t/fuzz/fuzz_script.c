/* Any bytes as a Lua promotion. */

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its functions, twice, over a cart of two lines. */
static void
call(pos_script_vm_t *vm, pos_script_t *script, pos_arena_t *arena)
{
    static const pos_product_t product = { .sku = { "A", 1 }, .name = { "A", 1 }, .unit = { "each", 4 } };
    pos_item_t                 items[2];
    pos_promotion_t            promotion = { .id = { "fuzz", 4 }, .class = POS_CLASS_LINE };
    pos_cart_t                 cart = { .currency = { "GBP", 3 }, .item_count = 2, .items = items, .arena = arena, .subtotal = 3000 };
    pos_script_result_t        result;
    uint32_t                   i;

    for (i = 0; i < 2; i++) {
        items[i] = (pos_item_t) { .product = &product, .index = i, .quantity = 1000, .units = 1, .unit_price = 1000 * (i + 1),
            .list_price = 2000, .subtotal = 1000 * (i + 1) };
    }
    for (i = 0; i < 2; i++) {
        (void) !pos_script_apply(vm, script, &promotion, &cart, &result);
    }
}

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
                    call(vm, promotions[i].script, arena);
                    pos_script_release(promotions[i].script);
                }
            }
        }
        pos_script_vm_destroy(vm);
    }

    pos_arena_destroy(arena);

    return 0;
}
