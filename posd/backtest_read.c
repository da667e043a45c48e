/* Past orders out of COPY's binary form. */

#include "posd/backtest_data.h"

#include <arpa/inet.h>

#define FIELDS       15
#define EPOCH_2000   INT64_C(946684800000000)   /* µs; PostgreSQL counts from there */

typedef struct {
    const char *pos, *end;
    bool        bad;
} input_t;


static uint32_t
take_u32(input_t *in)
{
    uint32_t n = 0;

    if (in->end - in->pos < 4) {
        in->bad = true;
        return 0;
    }
    memcpy(&n, in->pos, 4);
    in->pos += 4;
    return ntohl(n);
}


static int64_t
int64_at(const char *p)
{
    uint32_t high, low;

    memcpy(&high, p, 4);
    memcpy(&low, p + 4, 4);
    return (int64_t) ((uint64_t) ntohl(high) << 32 | ntohl(low));
}


/* A field, or an array's member; data NULL: null. */
static pos_str_t
take_value(input_t *in)
{
    uint32_t  len = take_u32(in);
    pos_str_t value = { NULL, 0 };

    if (in->bad || len == UINT32_MAX) {
        return value;
    }
    if ((size_t) (in->end - in->pos) < len) {
        in->bad = true;
        return value;
    }
    value = pos_str_of(in->pos, len);
    in->pos += len;
    return value;
}


static int64_t
take_int64(input_t *in, int64_t otherwise)
{
    pos_str_t value = take_value(in);

    if (value.data == NULL) {
        return otherwise;
    }
    in->bad |= value.len != 8;
    return in->bad ? otherwise : int64_at(value.data);
}


/* Enters an array of one dimension; how many members follow in `of`. */
static uint32_t
take_array(input_t *in, input_t *of)
{
    pos_str_t value = take_value(in);
    uint32_t  dimensions, count;

    *of = (input_t) { value.data, value.data + value.len, in->bad };
    if (value.data == NULL) {
        in->bad = true;
        return 0;
    }
    dimensions = take_u32(of);
    (void) take_u32(of);      /* has it nulls? */
    (void) take_u32(of);      /* of which type */
    if (dimensions == 0) {
        return 0;
    }
    count = take_u32(of);
    (void) take_u32(of);      /* counted from */
    in->bad |= of->bad || dimensions != 1 || count > (size_t) (of->end - of->pos) / 4;
    return in->bad ? 0 : count;
}


static pos_str_t *
take_texts(input_t *in, pos_arena_t *arena, uint32_t *count)
{
    input_t    of;
    pos_str_t *list;

    *count = take_array(in, &of);
    list = pos_arena_alloc(arena, ((size_t) *count + 1) * sizeof(*list));
    for (uint32_t i = 0; list != NULL && i < *count; i++) {
        list[i] = take_value(&of);
        of.bad |= list[i].data == NULL;
    }
    in->bad |= of.bad && *count > 0;
    return list;
}


static int64_t *
take_numbers(input_t *in, pos_arena_t *arena, uint32_t wanted)
{
    input_t  of;
    uint32_t count = take_array(in, &of);
    int64_t *list = pos_arena_alloc(arena, ((size_t) count + 1) * sizeof(*list));

    for (uint32_t i = 0; list != NULL && i < count; i++) {
        list[i] = take_int64(&of, INT64_MIN);
    }
    in->bad |= count != wanted || (of.bad && count > 0);
    return list;
}


static pos_status_t
take_lines(input_t *in, pos_arena_t *arena, pos_past_t *out)
{
    pos_str_t *skus = take_texts(in, arena, &out->line_count);
    int64_t   *quantities = take_numbers(in, arena, out->line_count);

    out->prices = take_numbers(in, arena, out->line_count);
    out->discounts = take_numbers(in, arena, out->line_count);
    out->costs = take_numbers(in, arena, out->line_count);
    out->lines = pos_arena_alloc(arena, ((size_t) out->line_count + 1) * sizeof(*out->lines));
    if (skus == NULL || quantities == NULL || out->prices == NULL || out->discounts == NULL
        || out->costs == NULL || out->lines == NULL)
    {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; !in->bad && i < out->line_count; i++) {
        out->lines[i] = (pos_basket_line_t) { skus[i], quantities[i] };
        in->bad |= quantities[i] == INT64_MIN || out->prices[i] == INT64_MIN || out->discounts[i] == INT64_MIN;
    }
    return in->bad ? POS_BROKEN : POS_OK;
}


pos_status_t
pos_past_decode(pos_str_t tuple, pos_arena_t *arena, pos_past_t *out)
{
    input_t      in = { tuple.data, tuple.data + tuple.len, false };
    pos_status_t status;

    if (tuple.len < 2 || tuple.data[0] != 0 || tuple.data[1] != FIELDS) {
        return POS_BROKEN;
    }
    in.pos += 2;
    memset(out, 0, sizeof(*out));
    out->id = take_value(&in);
    out->at = take_int64(&in, INT64_MIN);
    in.bad |= out->id.data == NULL || out->at == INT64_MIN || __builtin_add_overflow(out->at, EPOCH_2000, &out->at);
    out->store = take_value(&in);
    out->channel = take_value(&in);
    out->customer = take_value(&in);
    out->groups = take_texts(&in, arena, &out->group_count);
    out->coupons = take_texts(&in, arena, &out->coupon_count);
    out->currency = take_value(&in);
    out->discount = take_int64(&in, 0);
    if (out->groups == NULL || out->coupons == NULL) {
        return POS_NO_MEMORY;
    }
    if (in.bad) {
        return POS_BROKEN;
    }
    status = take_lines(&in, arena, out);
    out->session = take_value(&in);
    return status == POS_OK && in.bad ? POS_BROKEN : status;
}


int64_t
pos_past_time(pos_str_t tuple)
{
    input_t in = { tuple.data, tuple.data + tuple.len, tuple.len < 2 };
    int64_t at;

    in.pos += in.bad ? 0 : 2;
    (void) take_value(&in);
    at = take_int64(&in, INT64_MIN);
    return in.bad || __builtin_add_overflow(at, EPOCH_2000, &at) ? INT64_MIN : at;
}
