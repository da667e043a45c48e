/*
 * The effects a script proposes. What it proposes is compiled by the same
 * decoder as a document's effects and judged by the same engine: a script
 * never sets a total.
 *
 * The common calls (a percentage or an amount with a label) take a compiled
 * pattern and put in the value; calls with options go through the JSON of the
 * effect, which is compiled once a content.
 */

#include "engine/script_vm.h"

#define POS_LABEL_MAX  200

/* ---- the list ---- */

static pos_effect_t *
add_effect(lua_State *L)
{
    pos_script_vm_t     *vm = pos_script_vm_of(L);
    pos_script_result_t *result = vm->result;
    pos_effect_t        *grown;
    uint32_t             room;

    if (result == NULL) {
        luaL_error(L, "there is no cart while a file is loaded");
    }
    if (result->effect_count >= vm->limits.proposals) {
        pos_script_stick(L, "proposals");
    }
    if (result->effect_count == vm->effect_room) {
        room = vm->effect_room ? vm->effect_room * 2 : 4;
        grown = pos_arena_array(vm->cart->arena, room, sizeof(*grown));
        if (grown == NULL) {
            pos_script_no_memory(L);
        }
        if (result->effect_count) {
            memcpy(grown, result->effects, result->effect_count * sizeof(*grown));
        }
        result->effects = grown;
        vm->effect_room = room;
    }
    return &result->effects[result->effect_count++];
}

static pos_str_t
copy_text(lua_State *L, int index)
{
    pos_str_t text, copy;

    text.data = luaL_checklstring(L, index, &text.len);
    luaL_argcheck(L, text.len <= POS_LABEL_MAX, index, "a text over 200 bytes");
    luaL_argcheck(L, pos_script_is_text(text), index, "a text that is not UTF-8, or with a zero byte");
    pos_script_charge(L, text.len);
    copy = pos_arena_str(pos_script_vm_of(L)->cart->arena, text);
    if (copy.data == NULL) {
        pos_script_no_memory(L);
    }
    return copy;
}

/* `selection` as a filter of the engine; NULL stays NULL: every line. */
static const pos_filter_t *
selection_filter(lua_State *L, const pos_selection_t *selection)
{
    pos_filter_t *filter = pos_arena_zalloc(pos_script_vm_of(L)->cart->arena, sizeof(*filter));

    if (filter == NULL) {
        pos_script_no_memory(L);
    }
    filter->any = true;
    filter->on_sale = -1;
    filter->unit_price = (pos_range_t) { POS_NONE, POS_INF };
    filter->selection = selection;
    filter->json = pos_str("{}");
    return filter;
}

static pos_class_t
class_of(lua_State *L)
{
    const pos_promotion_t *promotion = pos_script_vm_of(L)->promotion;

    if (promotion == NULL) {
        luaL_error(L, "there is no cart while a file is loaded");
    }
    return promotion->class;
}

static void
need_class(lua_State *L, pos_class_t class, const char *method, const char *name)
{
    if (class_of(L) != class) {
        luaL_error(L, "%s needs a promotion of class \"%s\"", method, name);
    }
}

/* ---- values ---- */

static int64_t
money_argument(lua_State *L, int index)
{
    double  number = luaL_checknumber(L, index);
    int64_t n = 0;

    luaL_argcheck(L, pos_script_whole(number, &n) && n >= 0 && n <= POS_MONEY_MAX, index,
        "an amount is a whole number of minor units");
    return n;
}

static int64_t
percent_argument(lua_State *L, int index)
{
    double  number = luaL_checknumber(L, index);
    int64_t ppm = 0;

    luaL_argcheck(L, pos_script_decimal(number, &ppm) && ppm >= 0 && ppm <= POS_PPM, index,
        "a percentage is 0 to 100 with at most 4 decimals");
    return ppm;
}

/* ---- reductions: percent_off, amount_off, unit_price ---- */

typedef enum { BY_PERCENT, BY_AMOUNT, BY_UNIT_PRICE } reduce_by_t;

static const char *const reduce_names[] = { "percent_off", "amount_off", "unit_price" };

static const char *const patterns[3][2] = {
    { "{\"percent_off\":1}", "{\"percent_off\":1,\"items\":{}}" },
    { "{\"amount_off\":1}", "{\"amount_off\":1,\"items\":{}}" },
    { "{\"unit_price\":1}", "{\"unit_price\":1,\"items\":{}}" },
};

/* Appends the members of the table at `index` to an object that is open and
 * has a member already. */
static void
append_members(lua_State *L, int index, pos_script_export_t *e, pos_writer_t *w)
{
    pos_writer_t inner;
    pos_str_t    text;

    pos_script_writer(L, &inner, ' ');
    e->writer = &inner;
    pos_script_export(L, index, e);
    text = pos_writer_result(&inner);
    if (text.len > 3 && text.data[1] == '{') {
        pos_write_bytes(w, pos_str(","));
        pos_write_bytes(w, pos_str_of(text.data + 2, text.len - 3));
    }
}

static const pos_effect_t *
compiled_effect(lua_State *L, const pos_writer_t *w, const char *method)
{
    const pos_script_content_t *content = pos_script_compile(L, pos_writer_result(w), method);

    return content->out;
}

/* The effect of a call with options: (value, label, per or options). */
static void
reduce_by_options(lua_State *L, reduce_by_t by, bool items, int label, int per,
    int options, pos_effect_t *out)
{
    pos_script_export_t e = { 0 };
    pos_writer_t        w;
    pos_str_t           pattern = pos_str_z(patterns[by][items]), text;

    pos_arena_reset(pos_script_vm_of(L)->draft);
    pos_script_writer(L, &w, pos_script_class_letter(class_of(L)));
    pos_write_bytes(&w, pos_str_of(pattern.data, pattern.len - 1));
    if (label) {
        text.data = luaL_checklstring(L, label, &text.len);
        pos_write_bytes(&w, pos_str(",\"label\":"));
        w.comma = false;
        pos_write_string(&w, text);
    }
    if (per) {
        text.data = luaL_checklstring(L, per, &text.len);
        pos_write_bytes(&w, pos_str(",\"per\":"));
        w.comma = false;
        pos_write_string(&w, text);
    }
    if (options) {
        append_members(L, options, &e, &w);
    }
    pos_write_bytes(&w, pos_str("}"));
    if (w.status != POS_OK) {
        pos_script_no_memory(L);
    }
    *out = *compiled_effect(L, &w, reduce_names[by]);
}

/* The compiled pattern of a call without options. */
static const pos_effect_t *
reduction(lua_State *L, reduce_by_t by, bool items)
{
    pos_class_t          class = class_of(L);
    const pos_effect_t **kept = &pos_script_vm_of(L)->reductions[class][by][items];

    if (*kept == NULL) {
        *kept = pos_script_template(L, class, patterns[by][items]);
    }
    return *kept;
}

static bool
is_table(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TTABLE || pos_lua_class(L, index) == POS_LUA_FROZEN;
}

static int
reduce(lua_State *L, reduce_by_t by, const pos_selection_t *selection)
{
    int64_t       value = by == BY_PERCENT ? percent_argument(L, 2) : money_argument(L, 2);
    int           label = 0, per = 0, options = 0, at = 3;
    pos_effect_t  effect;
    pos_effect_t *added;

    if (lua_type(L, at) == LUA_TSTRING) {
        label = at++;
    } else if (lua_isnil(L, at)) {
        at++;
    }
    if (lua_type(L, at) == LUA_TSTRING) {
        per = at++;
    } else if (lua_isnil(L, at)) {
        at++;
    }
    if (is_table(L, at)) {
        options = at;
    } else if (!lua_isnoneornil(L, at)) {
        return luaL_error(L, "%s takes a value, a label and a table of options", reduce_names[by]);
    }
    if ((selection && selection->count == 0) || (value == 0 && by != BY_UNIT_PRICE)) {
        return 0;    /* nothing to lower, or by nothing */
    }
    if (per || options) {
        reduce_by_options(L, by, selection != NULL, label, per, options, &effect);
    } else {
        effect = *reduction(L, by, selection != NULL);
        effect.label = label ? copy_text(L, label) : pos_str("");
    }
    effect.value = value;
    if (selection) {
        effect.filter = selection_filter(L, selection);
    }
    added = add_effect(L);
    *added = effect;
    return 0;
}

static int
selection_percent_off(lua_State *L)
{
    return reduce(L, BY_PERCENT, pos_script_selection(L, 1));
}

static int
selection_amount_off(lua_State *L)
{
    return reduce(L, BY_AMOUNT, pos_script_selection(L, 1));
}

static int
selection_unit_price(lua_State *L)
{
    need_class(L, POS_CLASS_LINE, "unit_price", "line");
    return reduce(L, BY_UNIT_PRICE, pos_script_selection(L, 1));
}

static void
need_cart(lua_State *L)
{
    if (pos_lua_to(L, 1, POS_LUA_CART) == NULL) {
        luaL_error(L, "call it with a colon, as in cart:percent_off(10)");
    }
}

static int
cart_percent_off(lua_State *L)
{
    need_cart(L);
    need_class(L, POS_CLASS_ORDER, "cart:percent_off", "order");
    return reduce(L, BY_PERCENT, NULL);
}

static int
cart_amount_off(lua_State *L)
{
    need_cart(L);
    need_class(L, POS_CLASS_ORDER, "cart:amount_off", "order");
    return reduce(L, BY_AMOUNT, NULL);
}

/* ---- whole effects, as tables ---- */

static void
fill_part(lua_State *L, const pos_script_hole_t *hole, uint32_t count,
    const pos_part_t **parts)
{
    pos_part_t *copy;

    if (hole->index >= count) {
        luaL_error(L, "a selection in no part of the effect");
    }
    copy = pos_arena_array(pos_script_vm_of(L)->cart->arena, count, sizeof(*copy));
    if (copy == NULL) {
        pos_script_no_memory(L);
    }
    memcpy(copy, *parts, count * sizeof(*copy));
    copy[hole->index].filter = selection_filter(L, hole->selection);
    *parts = copy;
}

static void
fill_hole(lua_State *L, const pos_script_hole_t *hole, pos_effect_t *effect)
{
    pos_script_charge(L, 256);
    if (strcmp(hole->list, "buy") == 0 || strcmp(hole->list, "bundle") == 0) {
        fill_part(L, hole, effect->part_count, &effect->parts);
    } else if (strcmp(hole->list, "get") == 0) {
        fill_part(L, hole, effect->get_count, &effect->gets);
    } else if (strcmp(hole->list, "per") == 0) {
        effect->gift_per = selection_filter(L, hole->selection);
    } else if (hole->list[0] == '\0' || strcmp(hole->list, "nth") == 0) {
        effect->filter = selection_filter(L, hole->selection);
    } else {
        luaL_error(L, "a selection can only be `items` of the effect itself");
    }
}

/* Proposes the effect written in the table at `index`. */
static int
propose(lua_State *L, int index, const char *method)
{
    pos_script_export_t e = { .selections = true };
    pos_effect_t        effect, *added;
    pos_writer_t        w;
    uint32_t            i;

    pos_arena_reset(pos_script_vm_of(L)->draft);
    pos_script_writer(L, &w, pos_script_class_letter(class_of(L)));
    e.writer = &w;
    pos_script_export(L, index, &e);
    effect = *compiled_effect(L, &w, method);
    for (i = 0; i < e.hole_count; i++) {
        fill_hole(L, &e.holes[i], &effect);
    }
    added = add_effect(L);
    *added = effect;
    return 0;
}

static int
table_argument(lua_State *L, const char *method)
{
    need_cart(L);
    if (!pos_lua_push_plain(L, 2)) {
        luaL_error(L, "%s takes a table", method);
    }
    return lua_gettop(L);
}

/* Pushes a copy in which list elements and the member `parts` become
 * `list`, and `times` becomes `repeat` (a keyword in Lua). */
static int
push_renamed(lua_State *L, int table, const char *list)
{
    int copy, elements, n = (int) lua_objlen(L, table), i;

    lua_newtable(L);
    copy = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, table); ) {
        pos_script_work(L, 1);
        if (lua_type(L, -2) == LUA_TNUMBER) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -2);
        if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "times") == 0) {
            lua_pop(L, 1);
            lua_pushliteral(L, "repeat");
        } else if (list && lua_type(L, -1) == LUA_TSTRING
                   && strcmp(lua_tostring(L, -1), "parts") == 0)
        {
            lua_pop(L, 1);
            lua_pushstring(L, list);
        }
        lua_insert(L, -2);
        lua_rawset(L, copy);
    }
    if (list && n > 0) {
        lua_newtable(L);
        elements = lua_gettop(L);
        for (i = 1; i <= n; i++) {
            lua_rawgeti(L, table, i);
            lua_rawseti(L, elements, i);
        }
        lua_setfield(L, copy, list);
    }
    return copy;
}

static int
cart_deal(lua_State *L)
{
    int table = table_argument(L, "cart:deal");

    need_class(L, POS_CLASS_LINE, "cart:deal", "line");
    return propose(L, push_renamed(L, table, NULL), "deal");
}

static int
cart_bundle(lua_State *L)
{
    int table = table_argument(L, "cart:bundle");

    need_class(L, POS_CLASS_LINE, "cart:bundle", "line");
    return propose(L, push_renamed(L, table, "bundle"), "bundle");
}

/* Any effect of the document, for what has no method of its own. */
static int
cart_effect(lua_State *L)
{
    return propose(L, push_renamed(L, table_argument(L, "cart:effect"), NULL), "effect");
}

static void
move_field(lua_State *L, int from, const char *name, int to)
{
    lua_getfield(L, from, name);
    if (!lua_isnil(L, -1)) {
        lua_setfield(L, to, name);
    } else {
        lua_pop(L, 1);
    }
}

/* cart:gift(sku, quantity, { per = { items =, quantity = }, label =, when = }) */
static int
cart_gift(lua_State *L)
{
    int options = 0, effect, gift;

    need_cart(L);
    need_class(L, POS_CLASS_LINE, "cart:gift", "line");
    luaL_checktype(L, 2, LUA_TSTRING);
    lua_settop(L, 4);
    if (!lua_isnil(L, 4)) {
        if (!pos_lua_push_plain(L, 4)) {
            return luaL_error(L, "cart:gift takes a table of options");
        }
        options = lua_gettop(L);
    }
    lua_newtable(L);
    effect = lua_gettop(L);
    lua_newtable(L);
    gift = effect + 1;
    lua_pushvalue(L, 2);
    lua_setfield(L, gift, "sku");
    lua_pushnumber(L, luaL_optnumber(L, 3, 1));
    lua_setfield(L, gift, "quantity");
    if (options) {
        move_field(L, options, "per", gift);
        move_field(L, options, "label", effect);
        move_field(L, options, "when", effect);
    }
    lua_setfield(L, effect, "gift");
    return propose(L, effect, "gift");
}

/* cart:shipping_off(): free; (amount, label); ({ percent_off =, … }) */
static int
cart_shipping_off(lua_State *L)
{
    need_cart(L);
    need_class(L, POS_CLASS_SHIPPING, "cart:shipping_off", "shipping");
    if (is_table(L, 2)) {
        return propose(L, table_argument(L, "cart:shipping_off"), "shipping_off");
    }
    lua_settop(L, 4);
    if (lua_isnil(L, 2)) {
        lua_pushinteger(L, 100);
        lua_replace(L, 2);
        return reduce(L, BY_PERCENT, NULL);
    }
    return reduce(L, BY_AMOUNT, NULL);
}

/* cart:points(50), cart:points { multiply = 2 } */
static int
cart_points(lua_State *L)
{
    pos_effect_t effect, *added;
    int64_t      points = 0;

    need_cart(L);
    if (is_table(L, 2)) {
        lua_newtable(L);
        lua_pushvalue(L, 2);
        lua_setfield(L, -2, "points");
        return propose(L, lua_gettop(L), "points");
    }
    points = money_argument(L, 2);
    if (points == 0) {
        return 0;
    }
    effect = *pos_script_template(L, class_of(L), "{\"points\":{\"add\":1}}");
    effect.points_add = points;
    if (!lua_isnoneornil(L, 3)) {
        effect.label = copy_text(L, 3);
    }
    added = add_effect(L);
    *added = effect;
    return 0;
}

static int
cart_message(lua_State *L)
{
    pos_effect_t effect, *added;

    need_cart(L);
    effect = *pos_script_template(L, class_of(L), "{\"message\":\"x\"}");
    effect.message = copy_text(L, 2);
    added = add_effect(L);
    *added = effect;
    return 0;
}

/* cart:explain("reason"), cart:explain { reason =, missing = { quantity = 1 } } */
static int
cart_explain(lua_State *L)
{
    pos_script_vm_t    *vm = pos_script_vm_of(L);
    pos_script_export_t e = { 0 };
    pos_writer_t        w;
    int                 table;

    need_cart(L);
    (void) class_of(L);
    if (!is_table(L, 2)) {
        vm->result->explain_reason = copy_text(L, 2);
        return 0;
    }
    table = table_argument(L, "cart:explain");
    lua_getfield(L, table, "reason");
    if (!lua_isnil(L, -1)) {
        vm->result->explain_reason = copy_text(L, lua_gettop(L));
    }
    lua_getfield(L, table, "missing");
    if (!lua_isnil(L, -1)) {
        pos_arena_reset(vm->draft);
        pos_script_writer(L, &w, ' ');
        e.writer = &w;
        pos_script_export(L, lua_gettop(L), &e);
        pos_script_charge(L, pos_writer_result(&w).len);
        vm->result->explain_missing = pos_arena_str(vm->cart->arena,
            pos_str_of(pos_writer_result(&w).data + 1, pos_writer_result(&w).len - 1));
        if (vm->result->explain_missing.data == NULL) {
            pos_script_no_memory(L);
        }
    }
    return 0;
}

void
pos_script_add_effects(lua_State *L, int cart, int selection)
{
    static const luaL_Reg of_selection[] = {
        { "percent_off", selection_percent_off },
        { "amount_off", selection_amount_off },
        { "unit_price", selection_unit_price },
        { NULL, NULL },
    };
    static const luaL_Reg of_cart[] = {
        { "percent_off", cart_percent_off }, { "amount_off", cart_amount_off },
        { "shipping_off", cart_shipping_off }, { "deal", cart_deal },
        { "bundle", cart_bundle }, { "effect", cart_effect },
        { "gift", cart_gift }, { "points", cart_points },
        { "message", cart_message }, { "explain", cart_explain },
        { NULL, NULL },
    };
    const luaL_Reg *f;

    for (f = of_selection; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, selection, f->name);
    }
    for (f = of_cart; cart && f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, cart, f->name);
    }
}
