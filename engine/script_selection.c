/*
 * Selections: some of a cart's items, and perhaps only some units of each. A
 * script asks a cart for them by filter or function, narrows them down and asks
 * for their sums; what it proposes goes by them.
 */

#include <stdlib.h>

#include "engine/script_cart.h"

static void *
cart_alloc(lua_State *L, size_t count, size_t size)
{
    void *p;

    pos_script_charge(L, count * size);
    p = pos_arena_array(pos_script_vm_of(L)->cart->arena, count + 1, size);
    if (p == NULL) {
        pos_script_no_memory(L);
    }
    return p;
}

void
pos_script_push_selection(lua_State *L, const uint32_t *items,
    const int64_t *units, uint32_t count)
{
    pos_lua_selection_t *s = pos_lua_new(L, POS_LUA_SELECTION, sizeof(*s));

    s->count = count;
    s->items = items;
    s->units = units;
}

static pos_lua_selection_t *
selection_at(lua_State *L, int index)
{
    pos_lua_selection_t *s = pos_lua_to(L, index, POS_LUA_SELECTION);

    if (s == NULL) {
        luaL_error(L, "a selection is expected: call it with a colon, as in"
                      " selection:quantity()");
    }
    return s;
}

const pos_selection_t *
pos_script_selection(lua_State *L, int index)
{
    pos_lua_line_t      *line = pos_lua_to(L, index, POS_LUA_LINE);
    pos_lua_selection_t *s;
    pos_selection_t     *shown;
    uint32_t            *item;
    int64_t             *units;

    s = line ? NULL : selection_at(L, index);
    if (s && s->shown) {
        return s->shown;
    }
    shown = cart_alloc(L, 1, sizeof(*shown));
    if (s) {
        *shown = (pos_selection_t) { s->count, s->items, s->units };
        s->shown = shown;
        return shown;
    }
    (void) pos_lua_line_item(L, line);
    item = cart_alloc(L, 1, sizeof(*item));
    *item = line->item;
    *shown = (pos_selection_t) { 1, item, NULL };
    if (line->units >= 0) {
        units = cart_alloc(L, 1, sizeof(*units));
        *units = line->units;
        shown->units = units;
    }
    return shown;
}

/* ---- from the cart, by filter or function ---- */

/* By its content as JSON. */
static const pos_filter_t *
compiled_filter(lua_State *L, int index, pos_lua_frozen_t *frozen, pos_str_t shape)
{
    pos_script_export_t   e = { 0 };
    pos_script_vm_t      *vm = pos_script_vm_of(L);
    pos_script_content_t *filter;
    pos_writer_t          w;
    uint64_t              work = vm->work;
    pos_str_t             text;

    pos_arena_reset(vm->draft);
    pos_script_writer(L, &w, 'f');
    e.writer = &w;
    pos_script_export(L, index, &e);
    text = pos_writer_result(&w);
    work = vm->work - work + pos_script_compile_work(text);
    filter = pos_script_compile(L, text, "filter");
    if (filter->kept && frozen) {
        frozen->filter = filter;
        frozen->work = work;
    } else if (filter->kept && shape.len > 0) {
        pos_script_keep_shape(L, shape, filter, work);
    }
    return filter->out;
}

static const pos_filter_t *
frozen_filter(lua_State *L, const pos_lua_frozen_t *frozen)
{
    pos_script_work(L, frozen->work);
    pos_script_first_use(L, frozen->filter);
    return frozen->filter->out;
}

const pos_filter_t *
pos_script_filter(lua_State *L, int index)
{
    pos_lua_frozen_t   *frozen = pos_lua_to(L, index, POS_LUA_FROZEN);
    const pos_filter_t *filter;
    char                room[POS_SCRIPT_SHAPE_MAX];
    pos_str_t           shape = { room, 0 };

    if (lua_isnoneornil(L, index)) {
        return NULL;
    }
    if (frozen && frozen->filter) {
        return frozen_filter(L, frozen);
    }
    if (frozen == NULL && lua_type(L, index) != LUA_TTABLE) {
        luaL_error(L, "a filter is a table, such as { category = { \"shoes\" } }");
    }
    if (frozen == NULL) {
        shape.len = pos_script_shape(L, index, room);
        filter = shape.len > 0 ? pos_script_of_shape(L, shape) : NULL;
        if (filter) {
            return filter;
        }
    }
    return compiled_filter(L, index, frozen, shape);
}

static bool
predicate(lua_State *L, int function, uint32_t item, int64_t units)
{
    bool yes;

    lua_pushvalue(L, function);
    pos_lua_push_line(L, item, units);
    pos_script_callback(L, 1, 1);
    yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

/* The items of `from` (NULL: the whole cart) that the filter or the function
 * at `index` takes. */
static int
push_matching(lua_State *L, int index, const pos_lua_selection_t *from)
{
    pos_script_vm_t    *vm = pos_script_vm_of(L);
    const pos_cart_t   *cart = pos_lua_cart(L);
    bool                function = lua_type(L, index) == LUA_TFUNCTION;
    const pos_filter_t *filter = function ? NULL : pos_script_filter(L, index);
    uint32_t            n = from ? from->count : cart->item_count, i, found = 0;
    uint32_t           *items, *at = NULL;
    int64_t            *units = NULL;

    pos_script_work(L, 1 + n / 2);
    at = vm->matches;
    if (at == NULL || function) {    /* a function may call us again */
        at = pos_arena_array(vm->scratch, cart->item_count + 1, sizeof(*at));
        if (at == NULL) {
            pos_script_no_memory(L);
        }
        if (function) {
            pos_script_charge(L, cart->item_count * sizeof(*at));
        } else {
            vm->matches = at;
        }
    }
    for (i = 0; i < n; i++) {
        uint32_t item = from ? from->items[i] : i;
        int64_t  take = from && from->units ? from->units[i] : -1;

        if (pos_filter_match(filter, &cart->items[item])
            && (!function || predicate(L, index, item, take)))
        {
            at[found++] = i;
        }
    }
    items = cart_alloc(L, found, sizeof(*items));
    if (from && from->units) {
        units = cart_alloc(L, found, sizeof(*units));
    }
    for (i = 0; i < found; i++) {
        items[i] = from ? from->items[at[i]] : at[i];
        if (units) {
            units[i] = from->units[at[i]];
        }
    }
    pos_script_push_selection(L, items, units, found);
    return 1;
}

static int
cart_items(lua_State *L)
{
    if (pos_lua_to(L, 1, POS_LUA_CART) == NULL) {
        return luaL_error(L, "call it with a colon: cart:items { ... }");
    }
    return push_matching(L, 2, NULL);
}

static int
selection_where(lua_State *L)
{
    return push_matching(L, 2, selection_at(L, 1));
}

/* ---- one after the other ---- */

static int
each_next(lua_State *L)
{
    pos_lua_selection_t  *s = selection_at(L, 1);
    const pos_lua_line_t *line = pos_lua_to(L, 2, POS_LUA_LINE);
    uint32_t              i = 0;

    if (line) {
        i = s->cursor;
        if (i >= s->count || s->items[i] != line->item) {
            for (i = 0; i < s->count && s->items[i] < line->item; i++) { }
            pos_script_work(L, i);
        }
        i++;
    }
    if (i >= s->count) {
        return 0;
    }
    s->cursor = i;
    pos_lua_push_line(L, s->items[i], s->units ? s->units[i] : -1);
    return 1;
}

/* for line in selection:each() do … end */
static int
selection_each(lua_State *L)
{
    (void) selection_at(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int
cart_each(lua_State *L)
{
    lua_settop(L, 1);
    (void) cart_items(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, -2);
    lua_pushnil(L);
    return 3;
}

/* ---- sums ---- */

static int
selection_quantity(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = pos_lua_cart(L);
    int64_t                    sum = 0;
    uint32_t                   i;

    pos_script_work(L, s->count / 8);
    for (i = 0; i < s->count; i++) {
        sum += s->units ? s->units[i] : cart->items[s->items[i]].quantity;
    }
    return pos_lua_push_quantity(L, sum);
}

static int
selection_amount(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = pos_lua_cart(L);
    int64_t                    sum = 0;
    uint32_t                   i;

    pos_script_work(L, s->count / 8);
    for (i = 0; i < s->count; i++) {
        int64_t amount =
            pos_lua_units_amount(&cart->items[s->items[i]], s->units ? s->units[i] : -1);

        if (!pos_add(sum, amount, &sum)) {
            return luaL_error(L, "the amount is too large");
        }
    }
    return pos_lua_push_money(L, sum);
}

/* Items of one SKU stand together in canonical order. */
static int
selection_distinct(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = pos_lua_cart(L);
    uint32_t                   i, n = 0;

    pos_script_work(L, s->count / 8);
    for (i = 0; i < s->count; i++) {
        n += i == 0 || !pos_str_eq(cart->items[s->items[i]].product->sku,
                            cart->items[s->items[i - 1]].product->sku);
    }
    lua_pushinteger(L, (lua_Integer) n);
    return 1;
}

/* ---- some units ---- */

typedef struct {
    int64_t  price;
    uint32_t at;       /* place in the selection */
} priced_t;

static int
by_price(const void *a, const void *b)
{
    const priced_t *x = a, *y = b;

    if (x->price != y->price) {
        return x->price < y->price ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

/* How many thousandths of one item the next `left` units take; a measured
 * line is one unit, taken whole. */
static int64_t
take_units(const pos_item_t *item, int64_t there, int64_t *left)
{
    int64_t whole = there / POS_THOUSANDTHS;

    if (*left <= 0) {
        return 0;
    }
    if (item->measured) {
        (*left)--;
        return there;
    }
    if (whole > *left) {
        whole = *left;
    }
    *left -= whole;
    return whole * POS_THOUSANDTHS;
}

static int
take_sorted(lua_State *L, int64_t sign)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = pos_lua_cart(L);
    double                     number = luaL_optnumber(L, 2, 1);
    int64_t                    left, *taken, *units;
    uint32_t                  *items, i, n = 0;
    priced_t                  *order;

    if (!pos_script_whole(number, &left) || left < 0) {
        return luaL_error(L, "a whole number of units is expected");
    }
    pos_script_work(L, 4 + (uint64_t) s->count * 2);
    order = cart_alloc(L, s->count, sizeof(*order));
    taken = cart_alloc(L, s->count, sizeof(*taken));
    for (i = 0; i < s->count; i++) {
        order[i] = (priced_t) { sign * cart->items[s->items[i]].unit_price, i };
    }
    qsort(order, s->count, sizeof(*order), by_price);
    for (i = 0; i < s->count; i++) {
        const pos_item_t *item = &cart->items[s->items[order[i].at]];
        int64_t           there = s->units ? s->units[order[i].at] : item->quantity;

        taken[order[i].at] = take_units(item, there, &left);
    }
    items = cart_alloc(L, s->count, sizeof(*items));
    units = cart_alloc(L, s->count, sizeof(*units));
    for (i = 0; i < s->count; i++) {
        if (taken[i] > 0) {
            items[n] = s->items[i];
            units[n++] = taken[i];
        }
    }
    pos_script_push_selection(L, items, units, n);
    return 1;
}

static int
selection_cheapest(lua_State *L)
{
    return take_sorted(L, 1);
}

static int
selection_priciest(lua_State *L)
{
    return take_sorted(L, -1);
}

static int
selection_first(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);

    if (s->count == 0) {
        return 0;
    }
    pos_lua_push_line(L, s->items[0], s->units ? s->units[0] : -1);
    return 1;
}

/* ---- the class ---- */

int
pos_lua_selection_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer) selection_at(L, 1)->count);
    return 1;
}

int
pos_lua_selection_index(lua_State *L)
{
    (void) pos_lua_dispatch(L, "selection");
    return 1;
}

static void
add_each(lua_State *L, lua_CFunction each)
{
    lua_pushcfunction(L, each_next);
    lua_pushcclosure(L, each, 1);
    lua_setfield(L, -2, "each");
}

void
pos_lua_add_items(lua_State *L)
{
    lua_pushcfunction(L, cart_items);
    lua_setfield(L, -2, "items");
    add_each(L, cart_each);
}

void
pos_lua_add_selection_methods(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "where", selection_where }, { "quantity", selection_quantity },
        { "amount", selection_amount }, { "distinct", selection_distinct },
        { "cheapest", selection_cheapest }, { "priciest", selection_priciest },
        { "first", selection_first }, { NULL, NULL },
    };

    for (const luaL_Reg *m = methods; m->name; m++) {
        lua_pushcfunction(L, m->func);
        lua_setfield(L, -2, m->name);
    }
    add_each(L, selection_each);
}
