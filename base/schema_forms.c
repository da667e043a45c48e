/*
 * Forms of a value that few schemas ask for: one of some values, or what several
 * schemas together say.
 */

#include "base/json_write.h"
#include "base/schema_run.h"

#define ENUM_TEXT_MAX  4096    /* bytes of a list in a message */


static bool
quietly(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v)
{
    pos_schema_run_t asked = { run->base, NULL, true, false, run->depth, false };

    pos_schema_check(&asked, s, v, NULL);
    run->no_memory |= asked.no_memory;

    return asked.valid;
}


/* ---- values ---- */

/* Numbers are equal by value, objects whatever the order of members. */
bool
pos_schema_same(const pos_json_t *a, const pos_json_t *b)
{
    __int128          x, y;
    const pos_json_t *p, *q;

    if (a->type != b->type || a->count != b->count) {
        return false;
    }

    switch (a->type) {
    case POS_JSON_STRING:
        return pos_str_eq(a->text, b->text);

    case POS_JSON_NUMBER:
        if (pos_schema_decimal(a->text, &x) && pos_schema_decimal(b->text, &y)) {
            return x == y;
        }
        return pos_str_eq(a->text, b->text);

    case POS_JSON_ARRAY:
        for (p = a->first, q = b->first; p != NULL && q != NULL; p = p->next, q = q->next) {
            if (!pos_schema_same(p, q)) {
                return false;
            }
        }
        return true;

    case POS_JSON_OBJECT:
        for (p = a->first; p != NULL; p = p->next) {
            q = pos_json_get_str(b, p->key);

            if (q == NULL || !pos_schema_same(p, q)) {
                return false;
            }
        }
        return true;

    default:
        return true;
    }
}


static void
check_enum(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
           const pos_schema_place_t *place)
{
    pos_str_t         listed;
    pos_writer_t      w;
    const pos_json_t *one;

    for (one = s->enumeration->first; one != NULL; one = one->next) {
        if (pos_schema_same(one, v)) {
            return;
        }
    }

    if (run->faults == NULL) {
        run->valid = false;
        return;
    }

    /* Written anew: the contract's own text is laid out over many lines. */
    pos_writer_init(&w, run->faults->arena, 256, ENUM_TEXT_MAX);

    for (one = s->enumeration->first; one != NULL; one = one->next) {
        pos_write_json(&w, one);
    }

    listed = pos_writer_result(&w);
    POS_SCHEMA_FAULT(run, place, "enum", "must be one of %.*s", (int) listed.len,
                     listed.data);
}


/* ---- schemas together ---- */

/* Of another type; and so is what must be empty beside what is not. */
static bool
is_another(const pos_schema_t *s, const pos_json_t *v)
{
    while (s->ref != NULL) {
        s = s->ref;
    }

    return (s->types & pos_schema_type_of(v)) == 0
           || (v->type == POS_JSON_OBJECT && v->count > 0 && s->max_properties == 0);
}


/* When no branch fits, the faults of the branch that comes nearest are the
 * useful ones: the one with fewest, and of those one whose type fits. */
static void
report_nearest(pos_schema_run_t *run, const pos_schema_t **list, uint32_t count,
    const pos_json_t *v, const pos_schema_place_t *place)
{
    uint32_t         i, score, best = 0, best_score = UINT32_MAX;
    pos_faults_t     faults;
    pos_schema_run_t trial;

    run->valid = false;

    if (run->faults == NULL) {
        return;
    }

    /* A trial within a trial would double the work at every level. */
    if (run->trial) {
        run->faults->count++;
        return;
    }

    for (i = 0; i < count; i++) {
        pos_faults_init(&faults, run->faults->arena);
        faults.max = 0;
        trial = (pos_schema_run_t) { run->base, &faults, true, false, run->depth, true };
        pos_schema_check(&trial, list[i], v, place);
        score = faults.count + (is_another(list[i], v) ? 1000 : 0);

        if (score < best_score) {
            best_score = score;
            best = i;
        }
    }

    pos_schema_check(run, list[best], v, place);
}


static void
check_any(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
          const pos_schema_place_t *place)
{
    for (uint32_t i = 0; i < s->any_count; i++) {
        if (quietly(run, s->any[i], v)) {
            return;
        }
    }

    report_nearest(run, s->any, s->any_count, v, place);
}


static void
check_one(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
          const pos_schema_place_t *place)
{
    uint32_t fits = 0;

    for (uint32_t i = 0; i < s->one_count; i++) {
        fits += quietly(run, s->one[i], v);
    }

    if (fits == 0) {
        report_nearest(run, s->one, s->one_count, v, place);

    } else if (fits > 1) {
        POS_SCHEMA_FAULT(run, place, "one_of",
                         "fits more than one of the forms allowed here: say "
                         "which by leaving the other's fields out");
    }
}


static void
check_combined(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
               const pos_schema_place_t *place)
{
    const pos_schema_t *branch;

    for (uint32_t i = 0; i < s->all_count; i++) {
        pos_schema_check(run, s->all[i], v, place);
    }

    if (s->any_count > 0) {
        check_any(run, s, v, place);
    }

    if (s->one_count > 0) {
        check_one(run, s, v, place);
    }

    if (s->negated != NULL && quietly(run, s->negated, v)) {
        POS_SCHEMA_FAULT(run, place, "not", "must not have this form");
    }

    if (s->condition != NULL) {
        branch = quietly(run, s->condition, v) ? s->then : s->otherwise;

        if (branch != NULL) {
            pos_schema_check(run, branch, v, place);
        }
    }
}


void
pos_schema_check_forms(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
                       const pos_schema_place_t *place)
{
    if (s->enumeration != NULL) {
        check_enum(run, s, v, place);
    }

    if (s->constant != NULL && !pos_schema_same(s->constant, v)) {
        POS_SCHEMA_FAULT(run, place, "const", "must be %.*s", (int) s->constant->text.len,
              s->constant->text.data);
    }

    check_combined(run, s, v, place);
}
