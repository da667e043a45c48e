/*
 * How a request is read; for request*.c only.
 *
 * A reader takes the member `v` of the object at `at`. What is wrong is told as a
 * fault of the quote, and the reader goes on: null and what is at fault read as
 * empty, 0 or false. A bool that a reader returns says whether there was memory.
 */

#ifndef POS_REQUEST_DATA_H
#define POS_REQUEST_DATA_H

#include "engine/work.h"

/* As the contract has them (`Code`, `Text`, `Codes`, `Attributes`); what is sorted here
 * by insertion must stay short. */
#define POS_REQUEST_CODE_MAX        200      /* characters                     */
#define POS_REQUEST_TEXT_MAX        4000
#define POS_REQUEST_CODES_MAX       1000     /* members of a list or an object */
#define POS_REQUEST_COUPONS_MAX     100
#define POS_REQUEST_ATTRIBUTES_MAX  100
#define POS_REQUEST_ORDERS_MAX      1000000000

/* Is this the name of the member `v`? */
#define POS_IS(v, name) \
    ((v)->key.len == sizeof(name) - 1 && memcmp((v)->key.data, name, sizeof(name) - 1) == 0)

/* Where we are, without text until a fault needs it. */
typedef struct {
    const char *part;      /* "", "/customer", "/lines" … */
    int64_t     index;     /* below part; -1: none        */
    const char *below;     /* "" or "/discount" …         */
} pos_request_at_t;

/* ---- request_value.c: faults ---- */

/* Of the member `key`; of the object itself when it is empty. */
void pos_request_bad(pos_work_t *w, const pos_request_at_t *at, pos_str_t key,
    const char *code, const char *message);
/* The same for a member of the list `key`. */
void pos_request_bad_member(pos_work_t *w, const pos_request_at_t *at, pos_str_t key,
    uint32_t index, const char *code, const char *message);
/* The client's key lacks the scope to set the member. */
void pos_request_forbidden(pos_work_t *w, const pos_request_at_t *at, pos_str_t key,
    const char *scope);
void pos_request_unknown(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v);

/* ---- request_value.c: values ---- */

/* False, and a fault but for null: it is none. */
bool pos_request_object(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v);
/* At most `max` characters: one of the two above. */
pos_str_t pos_request_text(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v,
    size_t max);
/* What is wrong with a name the client gives, and what to say of it; NULL: nothing. */
const char *pos_request_code_fault(const pos_json_t *v, const char **message);
pos_str_t pos_request_code(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v);
/* Minor units, from 0. */
int64_t pos_request_money(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v);
bool pos_request_bool(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v);
/* Codes as a set: by hash, ascending. */
bool pos_request_set(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v,
    pos_strset_t *set) POS_MUSTCHECK;
/* By name; numbers and booleans as their text. */
bool pos_request_attributes(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v,
    uint32_t *count, const pos_attribute_t **out) POS_MUSTCHECK;

/* ---- request_line.c ---- */

/* The member `lines`, into the cart. */
bool pos_request_lines(pos_work_t *w, const pos_json_t *v) POS_MUSTCHECK;

#endif
