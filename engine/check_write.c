/* What a check found, in words for a merchandiser. */

#include "engine/check_data.h"

/* ---- what was found ---- */

static void
begin_finding(pos_writer_t *w, const char *severity, const char *code, pos_str_t message, const char *pointer)
{
    pos_write_object_begin(w);
    pos_write_key(w, "severity");
    pos_write_string(w, pos_str_z(severity));
    pos_write_key(w, "code");
    pos_write_string(w, pos_str_z(code));
    pos_write_key(w, "message");
    pos_write_string(w, message);
    pos_write_key(w, "pointer");
    pos_write_string(w, pos_str_z(pointer));
    pos_write_key(w, "related");
    pos_write_array_begin(w);
}


static void
end_finding(pos_writer_t *w)
{
    pos_write_array_end(w);
    pos_write_object_end(w);
}


static void
write_losses(pos_check_t *c, pos_writer_t *w)
{
    pos_str_t message, figures = pos_str("");

    if (c->below_cost + c->below_margin == 0) {
        return;
    }
    if (c->options.show_costs) {
        figures = pos_arena_printf(c->arena, ", which leaves %lld of a cost of %lld (minor units, net, for %lld)",
            (long long) c->losses[0].net, (long long) c->losses[0].cost, (long long) c->losses[0].quantity);
    }
    message = c->below_cost > 0
        ? pos_arena_printf(c->arena, "together with what is live it may sell %u of the %u products it gives something on below "
              "their cost, and %u more below the margin wanted; the worst is %.*s%.*s", c->below_cost, c->applied,
              c->below_margin, (int) c->losses[0].sku.len, c->losses[0].sku.data, (int) figures.len, figures.data)
        : pos_arena_printf(c->arena, "together with what is live it may sell %u of the %u products it gives something on below "
              "the margin wanted; the worst is %.*s%.*s", c->below_margin, c->applied, (int) c->losses[0].sku.len,
              c->losses[0].sku.data, (int) figures.len, figures.data);
    begin_finding(w, "warning", c->below_cost > 0 ? "below_cost" : "below_margin", message, "/floor");
    for (uint32_t i = 0; i < c->loss_count; i++) {
        pos_write_string(w, c->losses[i].sku);
    }
    pos_write_array_end(w);
    pos_write_key(w, "products");
    pos_write_array_begin(w);
    for (uint32_t i = 0; i < c->loss_count; i++) {
        pos_write_object_begin(w);
        pos_write_key(w, "sku");
        pos_write_string(w, c->losses[i].sku);
        pos_write_key(w, "quantity");
        pos_write_int(w, c->losses[i].quantity);
        if (c->options.show_costs) {
            pos_write_key(w, "net");
            pos_write_int(w, c->losses[i].net);
            pos_write_key(w, "cost");
            pos_write_int(w, c->losses[i].cost);
        }
        pos_write_object_end(w);
    }
    end_finding(w);
}


static void
write_floor(pos_check_t *c, pos_writer_t *w)
{
    pos_str_t home = c->options.book->currency;

    if (c->draft->floor_ppm < 0 || c->foreign.len == 0) {
        return;
    }
    begin_finding(w, "warning", "floor_not_judged", pos_arena_printf(c->arena, "costs are in %.*s: in %.*s its floor stops nothing",
        (int) home.len, home.data, (int) c->foreign.len, c->foreign.data), "/floor");
    end_finding(w);
}


/* Nothing in the promotion itself ends what it gives. */
static bool
unbounded(const pos_promotion_t *p)
{
    bool bounded = p->limit_count > 0 || p->floor_ppm >= 0 || p->stacking != POS_STACK_COMBINE;

    for (uint32_t i = 0; i < p->effect_count; i++) {
        bounded |= p->effects[i].max_amount != POS_INF;
    }
    return !bounded;
}


static void
write_partners(pos_check_t *c, pos_writer_t *w)
{
    if (c->partner_count == 0) {
        return;
    }
    begin_finding(w, "warning", "overlap", pos_arena_printf(c->arena, "it is given on the same goods together with %s%u promotion%s "
        "that %s live", c->more_partners ? "more than " : "", c->partner_count, c->partner_count == 1 ? "" : "s",
        c->partner_count == 1 ? "is" : "are"), "/stacking");
    for (uint32_t i = 0; i < c->partner_count; i++) {
        pos_write_string(w, c->partners[i].id);
    }
    end_finding(w);
    if (unbounded(c->draft)) {
        begin_finding(w, "warning", "unbounded_stacking", pos_str("it adds to what else is given, and nothing bounds it: "
            "neither limits, nor a floor, nor max_amount"), "/stacking");
        for (uint32_t i = 0; i < c->partner_count; i++) {
            pos_write_string(w, c->partners[i].id);
        }
        end_finding(w);
    }
}


static void
write_beaten(pos_check_t *c, pos_writer_t *w)
{
    const pos_book_t *book = c->options.book;

    for (uint32_t i = 0; i < book->promotion_count; i++) {
        const pos_promotion_t *other = book->promotions[i];

        if (other != c->draft && pos_check_beaten_by(book, c->draft, other)) {
            begin_finding(w, "warning", "always_beaten", pos_arena_printf(c->arena, "\"%.*s\" is live wherever it is, takes the same "
                "goods and never saves less: this one is never the better choice", (int) other->id.len, other->id.data), "");
            pos_write_string(w, other->id);
            end_finding(w);
            return;
        }
    }
}


static void
write_brands(pos_check_t *c, pos_writer_t *w)
{
    uint32_t told = 0;

    for (uint32_t i = 0; i < c->brand_count && told < POS_CHECK_LIVE; i++) {
        pos_str_t name = c->brands[i].name;

        if (!c->brands[i].seen) {
            begin_finding(w, "warning", "unknown_brand", pos_arena_printf(c->arena, "no product is of the brand \"%.*s\"",
                (int) name.len, name.data), "");
            end_finding(w);
            told++;
        }
    }
}


static void
write_unmatched(pos_check_t *c, pos_writer_t *w)
{
    bool bears = false, matched = false, lacks = false;

    for (uint32_t i = 0; i < c->wanted_count; i++) {
        const pos_check_wanted_t *wanted = &c->wanted[i];

        bears |= wanted->bears;
        matched |= wanted->bears && wanted->sku.len > 0;
        lacks |= wanted->needed && wanted->sku.len == 0;
    }
    if (c->everything || (!lacks && (!bears || matched))) {
        return;
    }
    begin_finding(w, "warning", "no_products", bears && !matched
        ? pos_str("no product of the shop is one of those it is for")
        : pos_str("its condition asks for products that the shop does not have"), bears && !matched ? "" : "/when");
    end_finding(w);
}


static void
write_not_checked(pos_check_t *c, pos_writer_t *w)
{
    const pos_book_t *book = c->options.book;
    const char       *why = "no more are tried at once";

    if (c->at < c->sku_count) {
        why = c->failures >= POS_CHECK_FAILURES ? "its script failed on them" : "the time for it was up";
    }
    if (c->matched != c->sku_count || c->at < c->sku_count) {
        begin_finding(w, "warning", "not_checked", pos_arena_printf(c->arena, "it was priced on %u of the %u products it may be for: "
            "%s", c->priced, c->matched, why), "");
        end_finding(w);
    }
    if (c->timeless) {
        begin_finding(w, "warning", "not_checked", pos_str("it was priced at a time at which it is not live: none was found "
            "at which it is"), "/active");
        end_finding(w);
    }
    if (c->lists < book->list_count) {
        begin_finding(w, "warning", "not_checked", pos_arena_printf(c->arena, "it was priced in %u of the %u price lists: no more "
            "are tried at once", c->lists, book->list_count), "");
        end_finding(w);
    }
}


static bool
complete(const pos_check_t *c)
{
    return c->matched == c->sku_count && c->at == c->sku_count && !c->timeless
           && c->lists == c->options.book->list_count;
}


void
pos_check_write(pos_check_t *c, pos_writer_t *w)
{
    write_not_checked(c, w);
    if (pos_check_never_holds(c->draft)) {
        begin_finding(w, "error", "never_holds", pos_str("its condition asks for two things that no cart can be at once: "
            "nobody would get it"), "/when");
        end_finding(w);
    }
    write_beaten(c, w);
    write_unmatched(c, w);
    write_brands(c, w);
    write_losses(c, w);
    write_floor(c, w);
    write_partners(c, w);
}


void
pos_check_write_counts(const pos_check_t *c, pos_writer_t *w)
{
    pos_write_object_begin(w);
    pos_write_key(w, "seen");
    pos_write_int(w, c->seen);
    pos_write_key(w, "matched");
    pos_write_int(w, c->matched);
    pos_write_key(w, "priced");
    pos_write_int(w, c->priced);
    pos_write_key(w, "applied");
    pos_write_int(w, c->applied);
    pos_write_key(w, "complete");
    pos_write_bool(w, complete(c));
    pos_write_object_end(w);
}
