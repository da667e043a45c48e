/*
 * The feed's JSON to the replica's records.
 */

#include "posd/entity.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "posd/pg.h"
#include "replica/sku.h"

#define ENTITY_MAX     (4 * 1024 * 1024)
#define ZONE_FILE_MAX  (64 * 1024)
#define ZONE_DIR       "/usr/share/zoneinfo"

struct pos_entities_s {
    pos_arena_t       *rows_arena;     /* values of the rows made            */
    pos_arena_t       *scratch;        /* one row's parsing                  */
    pos_arena_t       *zones_arena;
    pos_map_t          zones;          /* name to zone_t                     */
    pos_json_reader_t *reader;
    uint8_t           *buffer;         /* one record being encoded           */
    pos_row_t         *rows;
    size_t             count, room;
    uint64_t           bad;
};

typedef struct {
    const pos_zone_t *zone;
    pos_str_t         tzif;
} zone_t;


pos_entities_t *
pos_entities_create(void)
{
    pos_entities_t *e = calloc(1, sizeof(*e));

    if (e == NULL) {
        return NULL;
    }

    e->rows_arena = pos_arena_create(256 * 1024, 0);
    e->scratch = pos_arena_create(64 * 1024, 0);
    e->zones_arena = pos_arena_create(64 * 1024, 0);
    e->reader = pos_json_reader_create(ENTITY_MAX);
    e->buffer = malloc(POS_SKU_RECORD_MAX);
    if (e->rows_arena == NULL || e->scratch == NULL || e->zones_arena == NULL
        || e->reader == NULL || e->buffer == NULL
        || pos_map_init(&e->zones, e->zones_arena, 16) != POS_OK)
    {
        pos_entities_destroy(e);
        return NULL;
    }

    return e;
}


void
pos_entities_destroy(pos_entities_t *e)
{
    if (e == NULL) {
        return;
    }

    if (e->reader != NULL) {
        pos_json_reader_destroy(e->reader);
    }
    if (e->rows_arena != NULL) {
        pos_arena_destroy(e->rows_arena);
    }
    if (e->scratch != NULL) {
        pos_arena_destroy(e->scratch);
    }
    if (e->zones_arena != NULL) {
        pos_arena_destroy(e->zones_arena);
    }
    free(e->buffer);
    free(e->rows);
    free(e);
}


void
pos_entities_reset(pos_entities_t *e)
{
    pos_arena_reset(e->rows_arena);
    e->count = 0;
}


const pos_row_t *
pos_entities_rows(const pos_entities_t *e, size_t *count)
{
    *count = e->count;
    return e->rows;
}


uint64_t
pos_entities_bad(const pos_entities_t *e)
{
    return e->bad;
}


/* ---- zones ---- */

/* The name comes from a retailer: it must not lead out of the folder. */
static bool
zone_name_ok(pos_str_t name)
{
    size_t i;

    if (name.len == 0 || name.len > 64 || name.data[0] == '/') {
        return false;
    }

    for (i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+'
              || c == '/'))
        {
            return false;
        }
    }

    return true;
}


static pos_str_t
zone_file(pos_entities_t *e, pos_str_t name)
{
    pos_str_t none = { NULL, 0 };
    char      path[128], *bytes;
    ssize_t   n;
    int       fd;

    if (!zone_name_ok(name)) {
        return none;
    }

    snprintf(path, sizeof(path), ZONE_DIR "/%.*s", (int) name.len, name.data);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return none;
    }

    bytes = pos_arena_alloc(e->zones_arena, ZONE_FILE_MAX);
    n = bytes ? read(fd, bytes, ZONE_FILE_MAX) : -1;
    close(fd);
    return n > 0 && n < ZONE_FILE_MAX ? pos_str_of(bytes, (size_t) n) : none;
}


static zone_t *
zone_find(pos_entities_t *e, pos_str_t name)
{
    zone_t   *z = pos_map_get(&e->zones, name);
    pos_str_t tzif;

    if (z != NULL) {
        return z;
    }

    tzif = zone_file(e, name);
    z = pos_arena_zalloc(e->zones_arena, sizeof(*z));
    name = pos_arena_str(e->zones_arena, name);
    if (tzif.data == NULL || z == NULL || name.data == NULL
        || pos_zone_read(e->zones_arena, tzif, &z->zone) != POS_OK)
    {
        return NULL;
    }

    z->tzif = tzif;
    return pos_map_set(&e->zones, name, z, NULL) == POS_OK ? z : NULL;
}


const pos_zone_t *
pos_entities_zone(pos_entities_t *e, pos_str_t name, pos_str_t *tzif)
{
    zone_t *z = zone_find(e, name);

    if (z != NULL && tzif != NULL) {
        *tzif = z->tzif;
    }

    return z ? z->zone : NULL;
}


/* ---- rows ---- */

static pos_status_t
entities_push(pos_entities_t *e, pos_kind_t kind, pos_str_t key,
    pos_str_t value)
{
    pos_row_t *grown;
    size_t     room;

    if (e->count == e->room) {
        room = e->room ? e->room * 2 : 1024;
        grown = realloc(e->rows, room * sizeof(*grown));
        if (grown == NULL) {
            return POS_NO_MEMORY;
        }
        e->rows = grown;
        e->room = room;
    }

    key = pos_arena_str(e->rows_arena, key);
    if (value.data != NULL) {
        value = pos_arena_str(e->rows_arena, value);
        if (value.data == NULL) {
            return POS_NO_MEMORY;
        }
    }
    if (key.data == NULL) {
        return POS_NO_MEMORY;
    }

    e->rows[e->count++] = (pos_row_t) { kind, key, value };
    return POS_OK;
}


static pos_status_t
entity_encode(pos_entities_t *e, pos_kind_t kind, const pos_json_t *json,
    const pos_zone_t *zone, pos_faults_t *faults, size_t *len)
{
    const pos_product_t *product;
    const pos_coupon_t  *coupon;
    pos_status_t         status;

    if (kind == POS_KIND_SKU) {
        status = pos_product_decode(json, zone, pos_str(""), e->scratch,
                                    faults, &product);
        return status ? status : pos_sku_encode(product, e->buffer,
                                                POS_SKU_RECORD_MAX, len);
    }

    status = pos_coupon_decode(json, zone, pos_str(""), e->scratch, faults,
                               &coupon);
    return status ? status : pos_coupon_encode(coupon, e->buffer,
                                               POS_SKU_RECORD_MAX, len);
}


static pos_status_t
entity_binary(pos_entities_t *e, const char *retailer, pos_kind_t kind,
    pos_str_t key, pos_str_t *value, const pos_zone_t *zone)
{
    pos_faults_t  faults;
    pos_json_t   *json;
    pos_status_t  status;
    size_t        len = 0;

    pos_arena_reset(e->scratch);
    pos_faults_init(&faults, e->scratch);
    status = pos_json_read(e->reader, *value, e->scratch, &faults, &json);
    if (status == POS_OK) {
        status = entity_encode(e, kind, json, zone, &faults, &len);
    }
    if (status == POS_NO_MEMORY) {
        return status;
    }

    if (status != POS_OK) {
        e->bad++;
        pos_log("error", "retailer %s, %s %.*s is left out: %.*s %.*s",
                retailer, pos_kind_name(kind), (int) key.len, key.data,
                faults.first ? (int) faults.first->pointer.len : 0,
                faults.first ? faults.first->pointer.data : "",
                faults.first ? (int) faults.first->message.len : 15,
                faults.first ? faults.first->message.data : "is too large   ");
        *value = (pos_str_t) { NULL, 0 };
        return POS_OK;
    }

    *value = pos_str_of((const char *) e->buffer, len);
    return POS_OK;
}


pos_status_t
pos_entities_add(pos_entities_t *e, const char *retailer, pos_str_t kind_name,
    pos_str_t key, pos_str_t value, const pos_zone_t *zone)
{
    pos_status_t status;
    pos_kind_t   kind;

    if (!pos_kind_of(kind_name, &kind) || kind == POS_KIND_ZONE) {
        e->bad++;
        pos_log("error", "retailer %s: unknown kind %.*s", retailer,
                (int) kind_name.len, kind_name.data);
        return POS_OK;
    }

    if (value.data != NULL
        && (kind == POS_KIND_SKU || kind == POS_KIND_COUPON))
    {
        status = entity_binary(e, retailer, kind, key, &value, zone);
        if (status != POS_OK) {
            return status;
        }
    }

    return entities_push(e, kind, key, value);
}


pos_status_t
pos_entities_add_zone(pos_entities_t *e, const char *retailer, pos_str_t name)
{
    zone_t *z = zone_find(e, name);

    if (z == NULL) {
        e->bad++;
        pos_log("error", "retailer %s: unknown time zone %.*s", retailer,
                (int) name.len, name.data);
        return POS_OK;
    }

    return entities_push(e, POS_KIND_ZONE, name, z->tzif);
}
