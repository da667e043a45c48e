/*
 * The promotions and coupons of a book's document.
 */

#include "engine/memory_book_data.h"


/* ---- promotions ---- */

static void
check_experiment(pos_memory_reading_t *r, const pos_at_t *at, const pos_promotion_t *p)
{
    const pos_experiment_t *experiment;
    pos_at_t                here = pos_at_key(at, "experiment");

    if (p->experiment.len == 0) {
        return;
    }
    experiment = pos_map_get(&r->keys[POS_KIND_EXPERIMENT], p->experiment);
    if (experiment == NULL) {
        pos_memory_refuse(r, &here, "code", "unknown_experiment", p->experiment);
        return;
    }
    for (uint32_t i = 0; i < experiment->arm_count; i++) {
        if (pos_str_eq(experiment->arms[i].code, p->arm)) {
            return;
        }
    }
    pos_memory_refuse(r, &here, "arm", "unknown_arm", p->arm);
}


/* What is sold each is given whole. */
static void
check_gift(pos_memory_reading_t *r, const pos_at_t *at, const pos_effect_t *e)
{
    const pos_product_t *product = pos_map_get(&r->m->products, e->gift_sku);
    pos_at_t             gift = pos_at_key(at, "gift"), here = pos_at_key(&gift, "quantity");

    if (product == NULL) {
        pos_memory_refuse(r, &gift, "sku", "unknown_sku", e->gift_sku);
    } else if (!product->measured && e->gift_quantity % POS_THOUSANDTHS != 0) {
        pos_decode_fault(&r->d, &here, "quantity", "this product is sold in whole units");
    }
}


static void
check_promotion(pos_memory_reading_t *r, const pos_at_t *at, const pos_promotion_t *p)
{
    check_experiment(r, at, p);
    for (uint32_t i = 0; i < p->effect_count; i++) {
        const pos_effect_t *e = &p->effects[i];
        pos_at_t            then = pos_at_key(at, "then"), here = pos_at_index(&then, i);

        if (e->kind == POS_EFFECT_GIFT) {
            check_gift(r, &here, e);
        }
    }
}


/* Data promotions are compiled here for their faults alone. Scripts need a VM,
 * which the builder has: their faults are its reports. */
static void
read_promotion(pos_memory_reading_t *r, const pos_at_t *at, const pos_json_t *json)
{
    pos_promotion_t *p;
    pos_status_t     status;

    if (pos_member(json, "script") != NULL) {
        return;
    }
    status = pos_promotion_compile(json, r->d.zone, NULL,
        pos_at_pointer(at, r->scratch), r->faults, &p);
    if (status == POS_NO_MEMORY) {
        r->d.no_memory = true;
    } else if (status == POS_OK) {
        check_promotion(r, at, p);
        pos_promotion_release(p);
    }
}


void
pos_memory_read_promotions(pos_memory_reading_t *r)
{
    const pos_json_t     *list;
    pos_memory_section_t *s =
        pos_memory_section(r, "promotions", POS_KIND_PROMOTION, &list);
    pos_at_t at = pos_at_key(&r->root, "promotions");
    size_t   i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t          here = pos_at_index(&at, i++);
        const pos_json_t *id;
        pos_str_t         key = pos_str("");

        if (!pos_decode_object(&r->d, &here, e, NULL)) {
            continue;
        }
        read_promotion(r, &here, e);
        id = pos_member(e, "id");
        if (id != NULL && id->type == POS_JSON_STRING) {
            key = pos_decode_copy(&r->d, id->text);
        } else if (pos_member(e, "script") != NULL) {
            pos_at_t id_at = pos_at_key(&here, "id");
            pos_decode_fault(&r->d, &id_at, "required", "is required");
        }
        pos_memory_note(r, &here, "id", &r->keys[POS_KIND_PROMOTION], key, "");
        pos_memory_add_row(r, s, key, e);
    }
}


/* ---- coupons ---- */

static pos_str_t
coupon_key(pos_memory_reading_t *r, pos_str_t code)
{
    pos_str_t key = pos_coupon_key(code, r->m->arena);

    if (key.data == NULL) {
        r->d.no_memory = true;
        return pos_str("");
    }
    return key;
}


static void
read_coupon(pos_memory_reading_t *r, const pos_at_t *at, const pos_json_t *json)
{
    const pos_coupon_t *c;
    pos_str_t           base = pos_at_pointer(at, r->scratch);
    pos_at_t            code = pos_at_key(at, "code");
    void               *old = NULL;

    if (pos_coupon_decode(json, r->d.zone, base, r->m->arena, r->faults, &c)
        == POS_NO_MEMORY)
    {
        r->d.no_memory = true;
        return;
    }
    pos_coupon_check_fields(json, base, r->faults);
    for (uint32_t i = 0; i < c->promotion_count; i++) {
        if (!pos_memory_known(r, POS_KIND_PROMOTION, c->promotions[i])) {
            pos_memory_refuse_at(r, at, "promotions", i, "unknown_promotion",
                                 c->promotions[i]);
        }
    }
    if (c->code.len > 0 &&
        pos_memory_set(r, &r->m->coupons, coupon_key(r, c->code), c, &old) &&
        old != NULL) {
        pos_decode_fault(&r->d, &code, "duplicate",
            "there is another one of this code (upper and lower case are one)");
    }
}


void
pos_memory_read_coupons(pos_memory_reading_t *r)
{
    const pos_json_t *list = NULL;
    pos_at_t          at = pos_at_key(&r->root, "coupons");
    size_t            i = 0;

    if (!pos_decode_array(&r->d, &r->root, r->document, "coupons", &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);
        read_coupon(r, &here, e);
    }
}
