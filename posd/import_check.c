/*
 * The elements of an imported document: each is checked by the contract's schema
 * and then by the engine's decoder, and staged while nothing is at fault.
 */

#include "posd/import_data.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/promotion.h"
#include "engine/script.h"
#include "posd/file.h"

#define CONTRACT_MAX      (16 * 1024 * 1024)

static const struct {
    const char *name, *schema, *code;
    pos_kind_t  kind;
} sections[POS_SECTION_COUNT] = {
    { "retailer",    "RetailerSettings", "code", POS_KIND_RETAILER },
    { "stores",      "Store",            "code", POS_KIND_STORE },
    { "categories",  "Category",         "code", POS_KIND_CATEGORY },
    { "products",    "Product",          "sku",  POS_KIND_SKU },
    { "price_lists", "PriceList",        "code", POS_KIND_PRICE_LIST },
    { "prices",      "Price",            "sku",  POS_KIND_SKU },
    { "taxes",       "Tax",              "code", POS_KIND_TAX },
    { "promotions",  "Promotion",        "id",   POS_KIND_PROMOTION },
    { "coupons",     "Coupon",           "code", POS_KIND_COUPON },
    { "experiments", "Experiment",       "code", POS_KIND_EXPERIMENT },
    { "orders",      "PastOrder",        "id",   POS_KIND_COUNT }
};


/* ---- the contract ---- */

static bool
contract_compile(pos_import_t *im, const pos_json_t *root)
{
    const pos_json_t *all, *json;
    pos_faults_t      faults;
    unsigned          i;

    if (pos_schema_set_create(im->contract, root, &im->set) != POS_OK) {
        return false;
    }

    pos_faults_init(&faults, im->contract);
    all = pos_json_get(pos_json_get(root, "components"), "schemas");
    for (i = 0; i < POS_SECTION_COUNT; i++) {
        json = sections[i].schema ? pos_json_get(all, sections[i].schema) : NULL;
        if (json != NULL
            && pos_schema_compile(im->set, json, pos_str(""), &faults,
                                  &im->schemas[i]) != POS_OK)
        {
            pos_log("error", "schema %s: %.*s", sections[i].schema,
                    faults.first ? (int) faults.first->message.len : 0,
                    faults.first ? faults.first->message.data : "");
            return false;
        }
    }

    return true;
}


bool
pos_import_load_contract(pos_import_t *im, const char *path)
{
    pos_json_reader_t *reader;
    pos_faults_t       faults;
    pos_json_t        *root;
    size_t             len;
    char              *text = pos_file_read(path, CONTRACT_MAX, &len);
    bool               ok;

    if (text == NULL) {
        pos_log("error", "%s: %s", path, strerror(errno));
        return false;
    }

    pos_faults_init(&faults, im->contract);
    reader = pos_json_reader_create(CONTRACT_MAX);
    ok = reader != NULL
         && pos_json_read(reader, pos_str_of(text, len), im->contract, &faults,
                          &root) == POS_OK
         && contract_compile(im, root);
    if (reader != NULL) {
        pos_json_reader_destroy(reader);
    }

    free(text);
    return ok;
}


/* ---- checking ---- */

static void
check_promotion(pos_import_t *im, const pos_json_t *json, pos_str_t base)
{
    pos_promotion_t *promotion;

    if (pos_promotion_compile(json, pos_zone_utc(), im->vm, base, &im->faults,
                              &promotion) == POS_OK)
    {
        pos_promotion_release(promotion);
    }
}


/* What no order can come to would spoil the sums of all others. */
static void
check_order(pos_import_t *im, const pos_json_t *json, pos_str_t base)
{
    static const char *const amounts[] = { "unit_price", "cost" };
    const pos_json_t        *lines = pos_json_get(json, "lines");
    size_t                   n = 0;

    for (const pos_json_t *line = lines ? lines->first : NULL; line != NULL; line = line->next, n++) {
        int64_t quantity = 0;

        (void) pos_json_decimal(pos_json_get(line, "quantity"), 3, &quantity);
        for (unsigned i = 0; i < 2; i++) {
            const pos_json_t *v = pos_json_get(line, amounts[i]);
            int64_t           each, amount;

            if (v == NULL || !pos_json_int64(v, &each) || pos_muldiv(each, quantity, POS_THOUSANDTHS, POS_ROUND_HALF_UP, &amount)) {
                continue;
            }
            base = pos_json_pointer(im->faults_arena, base, pos_str("lines"));
            base = pos_json_pointer_index(im->faults_arena, base, n);
            (void) pos_fault(&im->faults, pos_json_pointer(im->faults_arena, base, pos_str_z(amounts[i])), "overflow",
                             "for so many it is more than any amount may be");
            return;
        }
    }
}


static void
check_decoded(pos_import_t *im, pos_section_t section, const pos_json_t *json,
    pos_str_t base)
{
    const pos_product_t *product;
    const pos_coupon_t  *coupon;
    pos_status_t         status = POS_OK;

    if (section == POS_SECTION_PRODUCTS) {
        pos_product_check_fields(json, base, &im->faults);
        status = pos_product_decode(json, pos_zone_utc(), base, im->element,
                                    &im->faults, &product);
    } else if (section == POS_SECTION_COUPONS) {
        pos_coupon_check_fields(json, base, &im->faults);
        status = pos_coupon_decode(json, pos_zone_utc(), base, im->element,
                                   &im->faults, &coupon);
    } else if (section == POS_SECTION_PROMOTIONS) {
        check_promotion(im, json, base);
    } else if (section == POS_SECTION_ORDERS) {
        check_order(im, json, base);
    } else {
        status = pos_entity_check(sections[section].kind, json, base, im->element,
                                  &im->faults);
    }

    if (status != POS_OK && status != POS_INVALID) {
        (void) pos_fault(&im->faults, base, "no_memory", "out of memory");
    }
}


/* The schema first; the engine's decoder then only over what has the shape. */
static void
check_element(pos_import_t *im, pos_section_t section, const pos_json_t *json,
    pos_str_t base)
{
    uint32_t before = im->faults.count;

    if (im->schemas[section] != NULL
        && pos_schema_validate(im->schemas[section], json, base, &im->faults)
           != POS_OK
        && im->faults.count == before)
    {
        (void) pos_fault(&im->faults, base, "invalid", "not valid");
    }
    if (im->faults.count == before) {
        check_decoded(im, section, json, base);
    }
}


/* ---- sections and elements ---- */

static bool
section_of(const char *name, pos_section_t *out)
{
    unsigned i;

    for (i = 0; i < POS_SECTION_COUNT; i++) {
        if (strcmp(name, sections[i].name) == 0) {
            *out = (pos_section_t) i;
            return true;
        }
    }

    return false;
}


/* A section begins with its first item. False: what is in it is not looked at. */
static bool
section_enter(pos_import_t *im, const pos_split_item_t *item, pos_section_t *section)
{
    pos_str_t pointer = pos_json_pointer(im->faults_arena, pos_str(""),
                                         pos_str_z(item->section));

    if (!section_of(item->section, section)) {
        if (item->ordinal <= 0) {
            (void) pos_fault(&im->faults, pointer, "unknown_field",
                             "a book has no such member");
        }
        return false;
    }

    if (item->array == (*section == POS_SECTION_RETAILER)) {
        if (item->ordinal <= 0) {
            (void) pos_fault(&im->faults, pointer, "type", "must be %s",
                             *section == POS_SECTION_RETAILER ? "an object"
                                                          : "an array");
        }
        return false;
    }

    if (item->ordinal <= 0) {
        if (im->seen[*section]) {
            (void) pos_fault(&im->faults, pointer, "json_duplicate_key",
                             "the member is there twice");
        }
        im->seen[*section] = true;
    }

    return true;
}


/* A script's compiled document goes beside it, for the API to show. */
static bool
stage_script(pos_import_t *im, const pos_json_t *json, int64_t ordinal)
{
    const pos_json_t       *script = pos_json_get(json, "script");
    pos_script_promotion_t *loaded;
    pos_faults_t            faults;
    uint32_t                i, count;
    bool                    ok = true;

    if (script == NULL || script->type != POS_JSON_STRING) {
        return true;
    }

    pos_faults_init(&faults, im->element);
    if (pos_script_load(im->vm, script->text, pos_str("import"), NULL,
                        pos_str(""), im->element, &faults, &loaded, &count)
        != POS_OK)
    {
        return true;      /* it compiled a moment ago: only memory is left */
    }
    if (count > 0) {
        ok = pos_stage_row(im, "promotion_summaries", ordinal,
                      (pos_str_t) { NULL, 0 }, loaded[0].document);
    }
    for (i = 0; i < count; i++) {
        pos_script_release(loaded[i].script);
    }

    return ok;
}


/* What the element's table is keyed by; coupons are found in upper case. */
static bool
element_code(pos_import_t *im, pos_section_t section, const pos_json_t *json,
    pos_str_t *code)
{
    const pos_json_t *name = pos_json_get(json, sections[section].code);

    *code = (pos_str_t) { NULL, 0 };
    if (name == NULL || name->type != POS_JSON_STRING) {
        return true;
    }

    *code = name->text;
    if (section != POS_SECTION_COUPONS) {
        return true;
    }

    *code = pos_coupon_key(name->text, im->element);
    return code->data != NULL;
}


/* Reads, checks and stages one item. False: cannot go on. */
bool
pos_import_item(pos_import_t *im, const pos_split_item_t *item)
{
    pos_str_t     base, code, none = { NULL, 0 };
    pos_json_t   *json;
    pos_section_t section;

    if (!section_enter(im, item, &section)) {
        return true;
    }
    if (item->ordinal < 0) {
        return pos_stage_row(im, item->section, -1, none, none);
    }

    pos_arena_reset(im->element);
    base = pos_json_pointer(im->element, pos_str(""), pos_str_z(item->section));
    if (item->array) {
        base = pos_json_pointer_index(im->element, base, (size_t) item->ordinal);
    }

    pos_faults_t read;
    pos_faults_init(&read, im->element);
    if (pos_json_read(im->reader, item->text, im->element, &read, &json)
        != POS_OK)
    {
        (void) pos_fault(&im->faults, base,
                         read.first ? read.first->code : "json_syntax", "%.*s",
                         read.first ? (int) read.first->message.len : 8,
                         read.first ? read.first->message.data : "not JSON");
        return true;
    }

    check_element(im, section, json, base);
    im->elements++;
    if (im->faults.count > 0) {
        return true;      /* nothing will be applied: staging may rest */
    }

    return element_code(im, section, json, &code)
           && pos_stage_row(im, item->section, item->ordinal, code, item->text)
           && (section != POS_SECTION_PROMOTIONS
               || stage_script(im, json, item->ordinal));
}
