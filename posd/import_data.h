/*
 * An import while it runs; for import*.c only.
 */

#ifndef POS_POSD_IMPORT_DATA_H
#define POS_POSD_IMPORT_DATA_H

#include "base/schema.h"
#include "posd/import.h"
#include "posd/split.h"

#define POS_IMPORT_TIMEOUT  (30 * 1000000LL)

typedef enum {
    POS_SECTION_RETAILER,
    POS_SECTION_STORES,
    POS_SECTION_CATEGORIES,
    POS_SECTION_PRODUCTS,
    POS_SECTION_PRICE_LISTS,
    POS_SECTION_PRICES,
    POS_SECTION_TAXES,
    POS_SECTION_PROMOTIONS,
    POS_SECTION_COUPONS,
    POS_SECTION_EXPERIMENTS,
    POS_SECTION_ORDERS,
    POS_SECTION_COUNT
} pos_section_t;

struct pos_import_s {
    pos_arena_t        *contract;
    pos_arena_t        *element;       /* one element's parsing              */
    pos_arena_t        *faults_arena;
    pos_json_reader_t  *reader;
    pos_schema_set_t   *set;
    const pos_schema_t *schemas[POS_SECTION_COUNT];   /* NULL: not in the contract */
    pos_script_vm_t    *vm;
    /* the running job's */
    const pos_import_job_t *job;
    pos_pg_t           *stage, *control;
    pos_faults_t        faults;
    bool                seen[POS_SECTION_COUNT];
    char               *copy;          /* COPY text not sent yet             */
    size_t              copy_len, copy_room;
    uint64_t            elements, size;
    int64_t             next_renew;
    bool                lost;          /* the lease, or a connection         */
};

/* ---- import_check.c ---- */

/* The schemas of the sections' elements, from the contract's file. False: logged. */
bool pos_import_load_contract(pos_import_t *im, const char *path) POS_MUSTCHECK;
/* Reads, checks and stages one item; what is at fault is among the job's faults.
 * False: cannot go on. */
bool pos_import_item(pos_import_t *im, const pos_split_item_t *item) POS_MUSTCHECK;

/* ---- import_stage.c: false when the connection is lost, or without memory ---- */

/* Room for rows; pos_import_destroy() frees it. */
bool pos_stage_create(pos_import_t *im) POS_MUSTCHECK;
/* Opens the session's table of rows, and COPY into it. */
bool pos_stage_begin(pos_import_t *im) POS_MUSTCHECK;
/* A code or value whose data is NULL is null. */
bool pos_stage_row(pos_import_t *im, const char *section, int64_t ordinal,
    pos_str_t code, pos_str_t value) POS_MUSTCHECK;
bool pos_stage_flush(pos_import_t *im) POS_MUSTCHECK;

/* ---- import_job.c: the job's row ---- */

/* Renews the lease when it is time; false when it is somebody else's, or the job was
 * cancelled. */
bool pos_job_progress(pos_import_t *im, uint64_t taken, const char *step)
    POS_MUSTCHECK;
/* The job has failed for good, by the faults found; by a problem as the database
 * words it; or by one more fault. POS_AGAIN: that could not be said. */
pos_status_t pos_job_fail_faults(pos_import_t *im) POS_MUSTCHECK;
pos_status_t pos_job_fail(pos_import_t *im, pos_str_t result) POS_MUSTCHECK;
pos_status_t pos_job_fail_text(pos_import_t *im, const char *code, const char *text)
    POS_MUSTCHECK;

#endif
