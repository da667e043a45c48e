/*
 * A schema while it is compiled; for schema_compile.c and schema_keyword.c only.
 */

#ifndef POS_SCHEMA_COMPILE_H
#define POS_SCHEMA_COMPILE_H

#include "base/schema_data.h"

typedef struct {
    pos_schema_set_t *set;
    pos_faults_t     *faults;
    bool              no_memory;     /* sticks                               */
} pos_schema_compiler_t;

/* ---- schema_compile.c ---- */

/* The schema `json`, which stands at `where`. NULL without memory; at fault it is
 * a schema all the same, so that all faults are found. */
pos_schema_t *pos_schema_compile_at(pos_schema_compiler_t *c, const pos_json_t *json,
    pos_str_t where);
/* The pointer of a member of `where`. */
pos_str_t pos_schema_child(pos_schema_compiler_t *c, pos_str_t where, pos_str_t key);
/* A fault of the contract. */
void pos_schema_bad(pos_schema_compiler_t *c, pos_str_t where, const char *what);

/* ---- schema_keyword.c ---- */

/* Puts one keyword of the schema at `where` into `schema`. One that is not known is
 * a fault, but for those that start with x-pos-. */
void pos_schema_keyword(pos_schema_compiler_t *c, pos_schema_t *schema,
    const pos_json_t *member, pos_str_t where);

#endif
