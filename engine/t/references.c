/*
 * A promotion that names what is not there is most often a slip: its author is told
 * each name by its place, and what is named otherwise is left alone.
 */

#include "engine/t/shop.h"
#include "engine/references.h"

#define BOOK "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"}," SHOP_GOODS "}"

static pos_str_t
missing(shop_t *s, const char *document, uint32_t *left)
{
    pos_faults_t faults;
    pos_json_t  *json;

    pos_faults_init(&faults, s->arena);
    if (pos_json_read(s->reader, pos_str_z(document), s->arena, &faults, &json) != POS_OK
        || pos_references_check(json, pos_str("/p"), s->book, &s->source, left, &faults) != POS_OK)
    {
        return pos_str("failed");
    }
    return shop_faults(s, &faults);
}

static pos_status_t
no_memory(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    (void) ctx;
    (void) sku;
    (void) arena;
    (void) out;
    return POS_NO_MEMORY;
}

int
main(void)
{
    uint32_t left = 100;
    shop_t   s;

    if (!ok(shop_open(&s, BOOK), "a shop")) {
        return tap_done();
    }
    is_str(missing(&s, "{\"then\":[{\"items\":{\"sku\":[\"BOOT\",\"TEE\"],\"category\":\"shoes\"}}],\"when\":{\"store\":[\"london\"]}}", &left), "", "all there");
    is_int(left, 96, "four names were looked up");
    is_str(missing(&s, "{\"then\":[{\"items\":{\"not\":{\"sku\":[\"BOOT\",\"HAT\"]}}},{\"buy\":[{\"items\":{\"category\":\"hats\"}}],\"get\":[{\"items\":{\"sku\":\"CAP\"}}]}],"
                       "\"when\":{\"any\":[{\"store\":[\"paris\"]},{\"items\":{\"category\":[\"all\",\"none\"]}}]}}", &left),
        "/p/then/0/items/not/sku/1 unknown_sku, /p/then/1/buy/0/items/category unknown_category, /p/then/1/get/0/items/sku unknown_sku, "
        "/p/when/any/0/store/0 unknown_store, /p/when/any/1/items/category/1 unknown_category", "at any depth, each by its place");
    is_str(missing(&s, "{\"then\":[{\"items\":{\"attribute\":{\"sku\":[\"HAT\"],\"store\":[\"x\"]}}}],\"settings\":{\"sku\":\"HAT\"},\"script\":\"sku\",\"cases\":[{\"store\":\"x\"}]}",
        &left), "", "attributes, settings and cases may have such names of their own");
    is_str(missing(&s, "{\"then\":[{\"gift\":{\"sku\":\"HAT\",\"quantity\":1}}]}", &left), "/p/then/0/gift/sku unknown_sku", "a gift that is not there");
    is_str(missing(&s, "{\"then\":[{\"gift\":{\"sku\":\"TEE\",\"quantity\":0.5}},{\"gift\":{\"sku\":\"CHEESE\",\"quantity\":0.5}},{\"gift\":{\"sku\":\"TEE\",\"quantity\":2}},"
                       "{\"gift\":{\"quantity\":0.5}},{\"gift\":5}]}", &left),
        "/p/then/0/gift/quantity quantity", "half a tee is none; half a kilo of cheese is one");
    is_str(missing(&s, "{\"items\":{\"sku\":[5,null]}}", &left), "", "what is no name is another's to refuse");
    left = 2;
    is_str(missing(&s, "{\"items\":{\"sku\":[\"BOOT\",\"A\",\"B\",\"C\"]},\"gift\":{\"sku\":\"TEE\",\"quantity\":0.5}}", &left), "/p/items/sku/1 unknown_sku",
        "no more are looked up than may be");
    is_int(left, 0, "and the rest of the file has none left");
    left = 9;
    s.source.product = no_memory;
    is_str(missing(&s, "{\"items\":{\"sku\":[\"A\"]}}", &left), "failed", "memory that ran out is no missing product");
    shop_close(&s);
    return tap_done();
}
