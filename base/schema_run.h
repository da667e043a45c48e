/*
 * A value being validated; for schema_validate.c, schema_scalar.c and
 * schema_forms.c only. Where the value stands is kept as a chain on the stack
 * and written out only for a fault, so a valid value costs no memory.
 */

#ifndef POS_SCHEMA_RUN_H
#define POS_SCHEMA_RUN_H

#include "base/schema_data.h"

typedef struct pos_schema_place_s pos_schema_place_t;
struct pos_schema_place_s {
    const pos_schema_place_t *parent;
    pos_str_t                 key;
    uint32_t                  index;   /* when key.data is NULL               */
};

typedef struct {
    pos_str_t     base;
    pos_faults_t *faults;      /* NULL: only ask whether it is valid */
    bool          valid;
    bool          no_memory;
    unsigned      depth;
    bool          trial;       /* faults are only compared with others' */
} pos_schema_run_t;

/* ---- schema_validate.c ---- */

pos_str_t pos_schema_pointer(pos_arena_t *arena, pos_str_t base,
    const pos_schema_place_t *place);
/* One of the bits that stand in `types`. */
uint8_t pos_schema_type_of(const pos_json_t *v);
void pos_schema_check_all(pos_schema_run_t *run, const pos_schema_t *s,
    const pos_json_t *v, const pos_schema_place_t *place);

/* The value `v`, which stands at `place` (NULL: the base), against `s`. What only
 * asks for a type stays cheap. */
static inline void
pos_schema_check(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
    const pos_schema_place_t *place)
{
    while (s->ref != NULL && s->ref != s) {
        s = s->ref;
    }

    if (s->constrained || (s->types & pos_schema_type_of(v)) == 0) {
        pos_schema_check_all(run, s, v, place);
    }
}

#define POS_SCHEMA_FAULT(run, place, code, ...)                                \
    do {                                                                       \
        (run)->valid = false;                                                  \
        if ((run)->faults != NULL && (run)->faults->count >= (run)->faults->max) { \
            (run)->faults->count++;    /* only counted: make no pointer */     \
        } else if ((run)->faults != NULL) {                                    \
            (void) pos_fault((run)->faults,                                    \
                pos_schema_pointer((run)->faults->arena, (run)->base, place),  \
                code, __VA_ARGS__);                                            \
        }                                                                      \
    } while (0)

/* ---- schema_scalar.c ---- */

void pos_schema_check_number(pos_schema_run_t *run, const pos_schema_t *s,
    const pos_json_t *v, const pos_schema_place_t *place);
void pos_schema_check_string(pos_schema_run_t *run, const pos_schema_t *s,
    const pos_json_t *v, const pos_schema_place_t *place);

/* ---- schema_forms.c: what is `rare` ---- */

void pos_schema_check_forms(pos_schema_run_t *run, const pos_schema_t *s,
    const pos_json_t *v, const pos_schema_place_t *place);
/* Numbers are equal by value, objects whatever the order of members. */
bool pos_schema_same(const pos_json_t *a, const pos_json_t *b);

#endif
