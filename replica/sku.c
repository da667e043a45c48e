/*
 * The SKU record's codec.
 */

#include "replica/sku.h"

enum {
    SKU_COST      = 1,
    SKU_MIN_PRICE = 2,
    SKU_WEIGHT    = 4,
    SKU_UNIT_TEXT = 8,
    SKU_UNIT_AT   = 4      /* bits 4 and 5: index into units */
};

enum {
    PRICE_SALE  = 1,
    PRICE_FROM  = 2,
    PRICE_UNTIL = 4,
    PRICE_MIN   = 8
};

#define SKU_LISTS_MAX  4096

static const pos_str_t units[4] = {
    { "each", 4 }, { "kg", 2 }, { "l", 1 }, { "m", 1 }
};


static uint8_t
sku_flags(const pos_product_t *p)
{
    unsigned i;
    uint8_t  flags = 0;

    flags |= p->has_cost ? SKU_COST : 0;
    flags |= p->min_price != 0 ? SKU_MIN_PRICE : 0;
    flags |= p->weight_grams != 0 ? SKU_WEIGHT : 0;

    for (i = 0; i < 4; i++) {
        if (pos_str_eq(p->unit, units[i])) {
            return flags | (uint8_t) (i << SKU_UNIT_AT);
        }
    }

    return flags | SKU_UNIT_TEXT;
}


/* Lists are few: each new code is noted by the price row that brings it. */
static uint32_t
sku_lists(const pos_product_t *p, uint32_t *first)
{
    uint32_t i, j, n = 0;

    for (i = 0; i < p->price_count; i++) {
        for (j = 0; j < n; j++) {
            if (pos_str_eq(p->prices[first[j]].list, p->prices[i].list)) {
                break;
            }
        }
        if (j == n) {
            if (n == SKU_LISTS_MAX) {
                return UINT32_MAX;
            }
            first[n++] = i;
        }
    }

    return n;
}


static void
sku_put_price(pos_bytes_out_t *out, const pos_price_t *r, uint32_t list)
{
    uint8_t flags = 0;

    flags |= r->sale ? PRICE_SALE : 0;
    flags |= r->from != POS_TIME_MIN ? PRICE_FROM : 0;
    flags |= r->until != POS_TIME_MAX ? PRICE_UNTIL : 0;
    flags |= r->min_quantity != POS_THOUSANDTHS ? PRICE_MIN : 0;

    pos_out_varint(out, list);
    pos_out_u8(out, flags);
    pos_out_int(out, r->amount);
    if (flags & PRICE_MIN) {
        pos_out_int(out, r->min_quantity);
    }
    if (flags & PRICE_FROM) {
        pos_out_u64(out, (uint64_t) r->from);
    }
    if (flags & PRICE_UNTIL) {
        pos_out_u64(out, (uint64_t) r->until);
    }
}


static void
sku_put_prices(pos_bytes_out_t *out, const pos_product_t *p,
    const uint32_t *first, uint32_t lists)
{
    uint32_t i, j;

    for (i = 0; i < lists; i++) {
        pos_out_str(out, p->prices[first[i]].list);
    }

    for (i = 0; i < p->price_count; i++) {
        for (j = 0; !pos_str_eq(p->prices[first[j]].list, p->prices[i].list);
             j++)
        { /* void */ }

        sku_put_price(out, &p->prices[i], j);
    }
}


static void
sku_put_parts(pos_bytes_out_t *out, const pos_product_t *p)
{
    uint32_t i;

    for (i = 0; i < p->category_count; i++) {
        pos_out_str(out, p->categories[i]);
    }
    for (i = 0; i < p->tag_count; i++) {
        pos_out_str(out, p->tags[i]);
    }
    for (i = 0; i < p->attribute_count; i++) {
        pos_out_str(out, p->attributes[i].name);
        pos_out_str(out, p->attributes[i].value);
    }
    for (i = 0; i < p->fee_count; i++) {
        pos_out_str(out, p->fees[i].code);
        pos_out_int(out, p->fees[i].amount);
        pos_out_str(out, p->fees[i].tax_category);
    }
}


static void
sku_put_fields(pos_bytes_out_t *out, const pos_product_t *p, uint8_t flags)
{
    pos_out_u8(out, flags);
    pos_out_str(out, p->sku);
    pos_out_str(out, p->name);
    pos_out_str(out, p->brand);
    pos_out_str(out, p->tax_category);
    if (flags & SKU_UNIT_TEXT) {
        pos_out_str(out, p->unit);
    }
    if (flags & SKU_COST) {
        pos_out_int(out, p->cost);
    }
    if (flags & SKU_MIN_PRICE) {
        pos_out_int(out, p->min_price);
    }
    if (flags & SKU_WEIGHT) {
        pos_out_int(out, p->weight_grams);
    }
}


pos_status_t
pos_sku_encode(const pos_product_t *p, uint8_t *buffer, size_t size,
    size_t *len)
{
    uint32_t        first[SKU_LISTS_MAX], lists;
    pos_bytes_out_t out;

    if (size < POS_FRAME_SIZE) {
        return POS_LIMIT;
    }

    lists = sku_lists(p, first);
    if (lists == UINT32_MAX) {
        return POS_LIMIT;
    }

    out = (pos_bytes_out_t) { buffer + POS_FRAME_SIZE, buffer + POS_FRAME_SIZE,
                              buffer + size, false };
    sku_put_fields(&out, p, sku_flags(p));
    pos_out_varint(&out, p->category_count);
    pos_out_varint(&out, p->tag_count);
    pos_out_varint(&out, p->attribute_count);
    pos_out_varint(&out, p->fee_count);
    pos_out_varint(&out, lists);
    pos_out_varint(&out, p->price_count);
    sku_put_parts(&out, p);
    sku_put_prices(&out, p, first, lists);

    if (out.full) {
        return POS_LIMIT;
    }

    pos_frame_seal(buffer, (size_t) (out.pos - out.start));
    *len = (size_t) (out.pos - buffer);
    return POS_OK;
}


/* Everything of one decoded product, in one piece of arena. */
typedef struct {
    pos_str_t       *strings;      /* categories, then tags */
    pos_attribute_t *attributes;
    pos_fee_t       *fees;
    pos_price_t     *prices;
    pos_str_t       *lists;
    uint32_t         list_count;
} sku_parts_t;


static pos_product_t *
sku_allocate(pos_arena_t *arena, const pos_product_t *p, sku_parts_t *parts)
{
    char  *at;
    size_t strings = (size_t) p->category_count + p->tag_count
                     + parts->list_count;

    /* Counts are below the record's size, so nothing here can overflow. */
    at = pos_arena_alloc(arena, sizeof(pos_product_t)
                         + strings * sizeof(pos_str_t)
                         + p->attribute_count * sizeof(pos_attribute_t)
                         + p->fee_count * sizeof(pos_fee_t)
                         + p->price_count * sizeof(pos_price_t));
    if (at == NULL) {
        return NULL;
    }

    parts->strings = (pos_str_t *) (at + sizeof(pos_product_t));
    parts->lists = parts->strings + p->category_count + p->tag_count;
    parts->attributes = (pos_attribute_t *) (parts->strings + strings);
    parts->fees = (pos_fee_t *) (parts->attributes + p->attribute_count);
    parts->prices = (pos_price_t *) (parts->fees + p->fee_count);
    return (pos_product_t *) at;
}


static void
sku_get_fields(pos_bytes_in_t *in, pos_product_t *p)
{
    uint8_t flags = pos_in_u8(in);

    p->sku = pos_in_str(in);
    p->name = pos_in_str(in);
    p->brand = pos_in_str(in);
    p->tax_category = pos_in_str(in);
    p->unit = (flags & SKU_UNIT_TEXT) ? pos_in_str(in)
                                      : units[(flags >> SKU_UNIT_AT) & 3];
    p->measured = !pos_str_eq(p->unit, units[0]);
    p->has_cost = (flags & SKU_COST) != 0;
    p->cost = p->has_cost ? pos_in_int(in) : 0;
    p->min_price = (flags & SKU_MIN_PRICE) ? pos_in_int(in) : 0;
    p->weight_grams = (flags & SKU_WEIGHT) ? pos_in_int(in) : 0;
}


static void
sku_get_price(pos_bytes_in_t *in, const sku_parts_t *parts, pos_price_t *r)
{
    uint64_t list = pos_in_varint(in);
    uint8_t  flags = pos_in_u8(in);

    if (list >= parts->list_count) {
        in->bad = true;
        list = 0;
    }

    r->list = parts->list_count ? parts->lists[list] : pos_str("");
    r->sale = (flags & PRICE_SALE) != 0;
    r->amount = pos_in_int(in);
    r->min_quantity = (flags & PRICE_MIN) ? pos_in_int(in) : POS_THOUSANDTHS;
    r->from = (flags & PRICE_FROM) ? (int64_t) pos_in_u64(in) : POS_TIME_MIN;
    r->until = (flags & PRICE_UNTIL) ? (int64_t) pos_in_u64(in) : POS_TIME_MAX;
}


static void
sku_get_parts(pos_bytes_in_t *in, pos_product_t *p, sku_parts_t *parts)
{
    uint32_t i, n = p->category_count + p->tag_count;

    for (i = 0; i < n; i++) {
        parts->strings[i] = pos_in_str(in);
    }
    for (i = 0; i < p->attribute_count; i++) {
        parts->attributes[i].name = pos_in_str(in);
        parts->attributes[i].value = pos_in_str(in);
    }
    for (i = 0; i < p->fee_count; i++) {
        parts->fees[i].code = pos_in_str(in);
        parts->fees[i].amount = pos_in_int(in);
        parts->fees[i].tax_category = pos_in_str(in);
    }
    for (i = 0; i < parts->list_count; i++) {
        parts->lists[i] = pos_in_str(in);
    }
    for (i = 0; i < p->price_count; i++) {
        sku_get_price(in, parts, &parts->prices[i]);
    }

    p->categories = parts->strings;
    p->tags = parts->strings + p->category_count;
    p->attributes = parts->attributes;
    p->fees = parts->fees;
    p->prices = parts->prices;
}


bool
pos_sku_is(pos_str_t framed, pos_str_t sku)
{
    pos_bytes_in_t in = { (const uint8_t *) framed.data,
                          (const uint8_t *) framed.data + framed.len, false };

    if (framed.len <= POS_FRAME_SIZE) {
        return false;
    }

    in.pos += POS_FRAME_SIZE;
    (void) pos_in_u8(&in);
    return pos_str_eq(pos_in_str(&in), sku) && !in.bad;
}


pos_status_t
pos_sku_decode(pos_str_t payload, pos_arena_t *arena, const pos_product_t **out)
{
    pos_bytes_in_t in;
    pos_product_t  head, *p;
    sku_parts_t    parts;

    in = (pos_bytes_in_t) { (const uint8_t *) payload.data,
                            (const uint8_t *) payload.data + payload.len,
                            false };
    sku_get_fields(&in, &head);
    head.category_count = pos_in_count(&in, 1);
    head.tag_count = pos_in_count(&in, 1);
    head.attribute_count = pos_in_count(&in, 2);
    head.fee_count = pos_in_count(&in, 3);
    parts.list_count = pos_in_count(&in, 1);
    head.price_count = pos_in_count(&in, 3);
    if (in.bad) {
        return POS_BROKEN;
    }

    p = sku_allocate(arena, &head, &parts);
    if (p == NULL) {
        return POS_NO_MEMORY;
    }

    *p = head;
    sku_get_parts(&in, p, &parts);
    if (in.bad || in.pos != in.end) {
        return POS_BROKEN;
    }

    *out = p;
    return POS_OK;
}
