/*
 * What reader and writer share: names of files and databases, keys, and the
 * records of heads and of the clock.
 *
 * The book's file holds four databases:
 *   head  retailer's number (u32, big endian)              -> head record
 *         0                                               -> "whole", framed:
 *         once every retailer of the database was here
 *   row   number, generation (u32 big endian), kind, key   -> framed value
 *   key   SHA-256 of an API key                            -> framed number
 *   change  what each revision changed: changes.h
 *
 * The generation is what lets a whole retailer be copied beside what is served
 * and be revealed by one small write: its head names the generation to read.
 */

#ifndef POS_REPLICA_STORE_H
#define POS_REPLICA_STORE_H

#include <lmdb.h>

#include "replica/frame.h"
#include "replica/replica.h"

#define POS_STORE_PATH_MAX    512
#define POS_STORE_READERS     512
#define POS_STORE_KEY_MAX     440     /* of an entity's own key; LMDB: 511 */
#define POS_STORE_PREFIX      9
#define POS_STORE_HEAD_MAX    512
#define POS_STORE_WHOLE       0       /* heads' numbers start at 1 */
#define POS_STORE_MAP_MAX     ((size_t) 256 << 30)
#define POS_STORE_LEVELS_MAP  ((size_t) 1 << 20)

/* The kinds' numbers in files: never reuse one. */
uint8_t pos_store_kind(pos_kind_t kind);
bool    pos_store_kind_of(uint8_t stored, pos_kind_t *out);
/* Is its content part of the head's digest? */
bool    pos_store_is_small(pos_kind_t kind);

typedef struct {
    MDB_env  *env;
    MDB_dbi   head, row, key;
    MDB_dbi   change;      /* reader: 0: the file has none (yet)          */
    uint32_t  number;      /* of book.<number>.mdb */
    uint32_t  refs;        /* reader: its snapshots, and the replica's own */
} pos_store_book_t;

typedef struct {
    uint8_t bytes[POS_STORE_PREFIX + POS_STORE_KEY_MAX + 1];
    size_t  len;
} pos_store_key_t;

void pos_store_put_u32(uint8_t *out, uint32_t v);    /* big endian: sorts */
uint32_t pos_store_get_u32(const uint8_t *in);

/* False: the entity's key is too long (or empty where it may not be). */
bool pos_store_row_key(pos_store_key_t *out, uint32_t no, uint32_t generation,
    pos_kind_t kind, pos_str_t key) POS_MUSTCHECK;

/* A head and what only the writer needs. */
typedef struct {
    pos_head_t head;
    uint32_t   building;      /* generation being copied; 0: none            */
} pos_store_head_t;

size_t pos_store_head_write(const pos_store_head_t *head,
    uint8_t out[POS_STORE_HEAD_MAX]);
bool   pos_store_head_read(pos_str_t framed, uint32_t no,
    pos_store_head_t *out) POS_MUSTCHECK;

/* The clock record: the database's time and this machine's, read together. */
typedef struct {
    int64_t db_time;          /* µs UTC                                      */
    int64_t boot_time;        /* µs, CLOCK_BOOTTIME                          */
    int64_t wall_time;        /* µs UTC, this machine's                      */
    int64_t fresh_time;       /* database's time when all of it was here     */
    uint8_t boot_id[16];
    uint8_t state;            /* pos_replica_state_t                         */
} pos_store_clock_t;

#define POS_STORE_CLOCK_MAX  128
size_t pos_store_clock_write(const pos_store_clock_t *clock,
    uint8_t out[POS_STORE_CLOCK_MAX]);
bool   pos_store_clock_read(pos_str_t framed, pos_store_clock_t *out)
    POS_MUSTCHECK;

int64_t pos_store_boottime(void);
int64_t pos_store_walltime(void);
void    pos_store_boot_id(uint8_t out[16]);

/* The number that DIR/current names. */
pos_status_t pos_store_current(const char *dir, uint32_t *number) POS_MUSTCHECK;
void pos_store_book_path(const char *dir, uint32_t number, const char *suffix,
    char out[POS_STORE_PATH_MAX]);

static inline MDB_val
pos_store_val(const void *data, size_t len)
{
    return (MDB_val) { len, (void *) data };
}

static inline pos_str_t
pos_store_str(MDB_val v)
{
    return pos_str_of(v.mv_data, v.mv_size);
}

#endif
