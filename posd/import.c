/*
 * One import: split, check and stage in one pass over the file; then one
 * transaction of the database's own function, which replaces the sections
 * that the document has and makes one revision.
 */

#include "posd/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_write.h"
#include "base/schema.h"
#include "engine/promotion.h"
#include "engine/script.h"
#include "posd/file.h"
#include "posd/split.h"

#define IMPORT_TIMEOUT    (30 * 1000000LL)
#define IMPORT_APPLY      (30 * 60 * 1000000LL)
#define IMPORT_RENEW_US   3000000
#define IMPORT_COPY_SIZE  (256 * 1024)
#define IMPORT_ATTEMPTS   3
#define CONTRACT_MAX      (16 * 1024 * 1024)

typedef enum {
    SECTION_RETAILER, SECTION_STORES, SECTION_CATEGORIES, SECTION_PRODUCTS,
    SECTION_PRICE_LISTS, SECTION_PRICES, SECTION_TAXES, SECTION_PROMOTIONS,
    SECTION_COUPONS, SECTION_EXPERIMENTS, SECTION_COUNT
} section_t;

static const struct {
    const char *name, *schema, *code;
} sections[SECTION_COUNT] = {
    { "retailer",    "RetailerSettings", "code" },
    { "stores",      "Store",            "code" },
    { "categories",  "Category",         "code" },
    { "products",    "Product",          "sku"  },
    { "price_lists", "PriceList",        "code" },
    { "prices",      "Price",            "sku"  },
    { "taxes",       "Tax",              "code" },
    { "promotions",  NULL,               "id"   },   /* the engine's compiler checks */
    { "coupons",     "Coupon",           "code" },
    { "experiments", "Experiment",       "code" }
};

struct pos_import_s {
    pos_arena_t        *contract;
    pos_arena_t        *element;       /* one element's parsing              */
    pos_arena_t        *faults_arena;
    pos_json_reader_t  *reader;
    pos_schema_set_t   *set;
    const pos_schema_t *schemas[SECTION_COUNT];   /* NULL: not in the contract */
    pos_script_vm_t    *vm;
    /* the running job's */
    const pos_import_job_t *job;
    pos_pg_t           *stage, *control;
    pos_faults_t        faults;
    bool                seen[SECTION_COUNT];
    section_t           current;
    char               *copy;          /* COPY text not sent yet             */
    size_t              copy_len, copy_room;
    uint64_t            elements, size;
    int64_t             next_renew;
    bool                lost;          /* the lease, or a connection         */
};


/* ---- the contract ---- */

static bool
contract_compile(pos_import_t *im, const pos_json_t *root)
{
    const pos_json_t *all, *json;
    pos_faults_t      faults;
    unsigned          i;

    if (pos_schema_set_create(im->contract, root, &im->set) != POS_OK) {
        return false;
    }

    pos_faults_init(&faults, im->contract);
    all = pos_json_get(pos_json_get(root, "components"), "schemas");
    for (i = 0; i < SECTION_COUNT; i++) {
        json = sections[i].schema ? pos_json_get(all, sections[i].schema) : NULL;
        if (json != NULL
            && pos_schema_compile(im->set, json, pos_str(""), &faults,
                                  &im->schemas[i]) != POS_OK)
        {
            pos_log("error", "schema %s: %.*s", sections[i].schema,
                    faults.first ? (int) faults.first->message.len : 0,
                    faults.first ? faults.first->message.data : "");
            return false;
        }
    }

    return true;
}


static bool
contract_load(pos_import_t *im, const char *path)
{
    pos_json_reader_t *reader;
    pos_faults_t       faults;
    pos_json_t        *root;
    size_t             len;
    char              *text = pos_file_read(path, CONTRACT_MAX, &len);
    bool               ok;

    if (text == NULL) {
        pos_log("error", "%s: %s", path, strerror(errno));
        return false;
    }

    pos_faults_init(&faults, im->contract);
    reader = pos_json_reader_create(CONTRACT_MAX);
    ok = reader != NULL
         && pos_json_read(reader, pos_str_of(text, len), im->contract, &faults,
                          &root) == POS_OK
         && contract_compile(im, root);
    if (reader != NULL) {
        pos_json_reader_destroy(reader);
    }

    free(text);
    return ok;
}


pos_import_t *
pos_import_create(const char *contract, const pos_script_limits_t *limits)
{
    pos_import_t *im = calloc(1, sizeof(*im));

    if (im == NULL) {
        return NULL;
    }

    im->contract = pos_arena_create(256 * 1024, 0);
    im->element = pos_arena_create(256 * 1024, 0);
    im->faults_arena = pos_arena_create(16 * 1024, 0);
    im->reader = pos_json_reader_create(POS_SPLIT_ELEMENT_MAX);
    im->copy_room = IMPORT_COPY_SIZE;
    im->copy = malloc(im->copy_room);
    if (im->contract == NULL || im->element == NULL || im->faults_arena == NULL
        || im->reader == NULL || im->copy == NULL
        || pos_script_vm_create(limits, &im->vm) != POS_OK
        || !contract_load(im, contract))
    {
        pos_import_destroy(im);
        return NULL;
    }

    return im;
}


pos_script_vm_t *
pos_import_vm(pos_import_t *im)
{
    return im->vm;
}


void
pos_import_destroy(pos_import_t *im)
{
    if (im == NULL) {
        return;
    }

    if (im->vm != NULL) {
        pos_script_vm_destroy(im->vm);
    }
    if (im->reader != NULL) {
        pos_json_reader_destroy(im->reader);
    }
    pos_schema_set_destroy(im->set);
    if (im->contract != NULL) {
        pos_arena_destroy(im->contract);
    }
    if (im->element != NULL) {
        pos_arena_destroy(im->element);
    }
    if (im->faults_arena != NULL) {
        pos_arena_destroy(im->faults_arena);
    }
    free(im->copy);
    free(im);
}


/* ---- staging ---- */

static bool
copy_room(pos_import_t *im, size_t need)
{
    char  *grown;
    size_t room = im->copy_room;

    while (room - im->copy_len < need) {
        room *= 2;
    }
    if (room != im->copy_room) {
        grown = realloc(im->copy, room);
        if (grown == NULL) {
            return false;
        }
        im->copy = grown;
        im->copy_room = room;
    }

    return true;
}


static bool
copy_flush(pos_import_t *im)
{
    bool ok = im->copy_len == 0
              || pos_pg_copy_put(im->stage, IMPORT_TIMEOUT, im->copy,
                                 im->copy_len);

    im->copy_len = 0;
    return ok;
}


/* COPY's text format: backslash, tab and line ends are escaped. */
static char *
copy_text(char *p, pos_str_t text)
{
    size_t i;

    if (text.data == NULL) {
        *p++ = '\\';
        *p++ = 'N';
    }

    for (i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '\\' || c == '\t' || c == '\n' || c == '\r') {
            *p++ = '\\';
            c = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c;
        }
        *p++ = c;
    }

    return p;
}


static bool
copy_row(pos_import_t *im, const char *section, int64_t ordinal, pos_str_t code,
    pos_str_t value)
{
    char *p;

    if (!copy_room(im, 2 * (code.len + value.len) + 128)) {
        return false;
    }

    p = im->copy + im->copy_len;
    p += snprintf(p, 100, "%s\t%lld\t", section, (long long) ordinal);
    p = copy_text(p, code);
    *p++ = '\t';
    p = copy_text(p, value);
    *p++ = '\n';
    im->copy_len = (size_t) (p - im->copy);
    return im->copy_len < IMPORT_COPY_SIZE || copy_flush(im);
}


/* ---- checking ---- */

static void
check_promotion(pos_import_t *im, const pos_json_t *json, pos_str_t base)
{
    pos_promotion_t *promotion;

    if (pos_promotion_compile(json, pos_zone_utc(), im->vm, base, &im->faults,
                              &promotion) == POS_OK)
    {
        pos_promotion_release(promotion);
    }
}


static void
check_decoded(pos_import_t *im, section_t section, const pos_json_t *json,
    pos_str_t base)
{
    const pos_product_t *product;
    const pos_coupon_t  *coupon;
    pos_status_t         status = POS_OK;

    if (section == SECTION_PRODUCTS) {
        pos_product_check_fields(json, base, &im->faults);
        status = pos_product_decode(json, pos_zone_utc(), base, im->element,
                                    &im->faults, &product);
    } else if (section == SECTION_COUPONS) {
        pos_coupon_check_fields(json, base, &im->faults);
        status = pos_coupon_decode(json, pos_zone_utc(), base, im->element,
                                   &im->faults, &coupon);
    } else if (section == SECTION_PROMOTIONS) {
        check_promotion(im, json, base);
    }

    if (status != POS_OK && status != POS_INVALID) {
        (void) pos_fault(&im->faults, base, "no_memory", "out of memory");
    }
}


/* The schema first; the engine's decoder then only over what has the shape. */
static void
check_element(pos_import_t *im, section_t section, const pos_json_t *json,
    pos_str_t base)
{
    uint32_t before = im->faults.count;

    if (im->schemas[section] != NULL
        && pos_schema_validate(im->schemas[section], json, base, &im->faults)
           != POS_OK
        && im->faults.count == before)
    {
        (void) pos_fault(&im->faults, base, "invalid", "not valid");
    }
    if (im->faults.count == before) {
        check_decoded(im, section, json, base);
    }
}


/* A script's compiled document goes beside it, for the API to show. */
static bool
stage_script(pos_import_t *im, const pos_json_t *json, int64_t ordinal)
{
    const pos_json_t       *script = pos_json_get(json, "script");
    pos_script_promotion_t *loaded;
    pos_faults_t            faults;
    uint32_t                i, count;
    bool                    ok = true;

    if (script == NULL || script->type != POS_JSON_STRING) {
        return true;
    }

    pos_faults_init(&faults, im->element);
    if (pos_script_load(im->vm, script->text, pos_str("import"), NULL,
                        pos_str(""), im->element, &faults, &loaded, &count)
        != POS_OK)
    {
        return true;      /* it compiled a moment ago: only memory is left */
    }
    if (count > 0) {
        ok = copy_row(im, "promotion_summaries", ordinal,
                      (pos_str_t) { NULL, 0 }, loaded[0].document);
    }
    for (i = 0; i < count; i++) {
        pos_script_release(loaded[i].script);
    }

    return ok;
}


static bool
section_of(const char *name, section_t *out)
{
    unsigned i;

    for (i = 0; i < SECTION_COUNT; i++) {
        if (strcmp(name, sections[i].name) == 0) {
            *out = (section_t) i;
            return true;
        }
    }

    return false;
}


/* A section begins with its first item. False: what is in it is not looked at. */
static bool
section_enter(pos_import_t *im, const pos_split_item_t *item, section_t *section)
{
    pos_str_t pointer = pos_json_pointer(im->faults_arena, pos_str(""),
                                         pos_str_z(item->section));

    if (!section_of(item->section, section)) {
        if (item->ordinal <= 0) {
            (void) pos_fault(&im->faults, pointer, "unknown_field",
                             "a book has no such member");
        }
        return false;
    }

    if (item->array == (*section == SECTION_RETAILER)) {
        if (item->ordinal <= 0) {
            (void) pos_fault(&im->faults, pointer, "type", "must be %s",
                             *section == SECTION_RETAILER ? "an object"
                                                          : "an array");
        }
        return false;
    }

    if (item->ordinal <= 0) {
        if (im->seen[*section]) {
            (void) pos_fault(&im->faults, pointer, "json_duplicate_key",
                             "the member is there twice");
        }
        im->seen[*section] = true;
    }

    return true;
}


/* What the element's table is keyed by; coupons are found in upper case. */
static bool
element_code(pos_import_t *im, section_t section, const pos_json_t *json,
    pos_str_t *code)
{
    const pos_json_t *name = pos_json_get(json, sections[section].code);
    char             *upper;
    size_t            i;

    *code = (pos_str_t) { NULL, 0 };
    if (name == NULL || name->type != POS_JSON_STRING) {
        return true;
    }

    *code = name->text;
    if (section != SECTION_COUPONS) {
        return true;
    }

    upper = pos_arena_alloc(im->element, code->len + 1);
    if (upper == NULL) {
        return false;
    }

    for (i = 0; i < code->len; i++) {
        char c = code->data[i];

        upper[i] = c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
    }

    *code = pos_str_of(upper, code->len);
    return true;
}


/* Reads, checks and stages one item. False: cannot go on. */
static bool
import_item(pos_import_t *im, const pos_split_item_t *item)
{
    pos_str_t   base, code, none = { NULL, 0 };
    pos_json_t *json;
    section_t   section;

    if (!section_enter(im, item, &section)) {
        return true;
    }
    if (item->ordinal < 0) {
        return copy_row(im, item->section, -1, none, none);
    }

    pos_arena_reset(im->element);
    base = pos_json_pointer(im->element, pos_str(""), pos_str_z(item->section));
    if (item->array) {
        base = pos_json_pointer_index(im->element, base, (size_t) item->ordinal);
    }

    pos_faults_t read;
    pos_faults_init(&read, im->element);
    if (pos_json_read(im->reader, item->text, im->element, &read, &json)
        != POS_OK)
    {
        (void) pos_fault(&im->faults, base,
                         read.first ? read.first->code : "json_syntax", "%.*s",
                         read.first ? (int) read.first->message.len : 8,
                         read.first ? read.first->message.data : "not JSON");
        return true;
    }

    check_element(im, section, json, base);
    im->elements++;
    if (im->faults.count > 0) {
        return true;      /* nothing will be applied: staging may rest */
    }

    return element_code(im, section, json, &code)
           && copy_row(im, item->section, item->ordinal, code, item->text)
           && (section != SECTION_PROMOTIONS
               || stage_script(im, json, item->ordinal));
}


/* ---- the job's row ---- */

static bool
job_says(pos_import_t *im, const char *sql, pos_str_t json)
{
    const char *params[] = { im->job->job, im->job->lease, json.data };
    PGresult   *r = pos_pg_query(im->control, IMPORT_TIMEOUT, sql, 3, params);
    bool        ok = r != NULL && PQntuples(r) == 1
                     && PQgetvalue(r, 0, 0)[0] != 'f';

    PQclear(r);
    return ok;
}


/* Renews the lease; false when it is somebody else's, or the job cancelled. */
static bool
job_progress(pos_import_t *im, uint64_t taken, const char *step)
{
    char text[200];

    if (pos_now() < im->next_renew) {
        return true;
    }

    im->next_renew = pos_now() + IMPORT_RENEW_US;
    snprintf(text, sizeof(text),
             "{\"step\": \"%s\", \"bytes\": %llu, \"size\": %llu,"
             " \"elements\": %llu}", step, (unsigned long long) taken,
             (unsigned long long) im->size, (unsigned long long) im->elements);
    if (!job_says(im, "select pos.job_progress($1, $2::bigint, $3::jsonb, 30)",
                  pos_str_z(text)))
    {
        im->lost = true;
        return false;
    }

    return true;
}


static pos_status_t
job_fail(pos_import_t *im, pos_str_t result)
{
    pos_log("info", "job %s failed: %.300s", im->job->job, result.data);
    return job_says(im, "select pos.fail_job($1, $2::bigint, $3::jsonb)", result)
           ? POS_OK : POS_AGAIN;
}


static pos_status_t
job_fail_faults(pos_import_t *im)
{
    const pos_fault_t *f;
    pos_writer_t       w;

    pos_writer_init(&w, im->faults_arena, 4096, 4 * 1024 * 1024);
    pos_write_object_begin(&w);
    pos_write_key(&w, "errors");
    pos_write_array_begin(&w);
    for (f = im->faults.first; f != NULL; f = f->next) {
        pos_write_object_begin(&w);
        pos_write_key(&w, "pointer");
        pos_write_string(&w, f->pointer);
        pos_write_key(&w, "code");
        pos_write_string(&w, pos_str_z(f->code));
        pos_write_key(&w, "message");
        pos_write_string(&w, f->message);
        if (f->line > 0) {
            pos_write_key(&w, "line");
            pos_write_int(&w, f->line);
            pos_write_key(&w, "column");
            pos_write_int(&w, f->column);
        }
        pos_write_object_end(&w);
    }
    pos_write_array_end(&w);
    pos_write_key(&w, "error_count");
    pos_write_int(&w, im->faults.count);
    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str_of("\0", 1));

    return w.status == POS_OK ? job_fail(im, pos_writer_result(&w)) : POS_AGAIN;
}


static pos_status_t
job_fail_text(pos_import_t *im, const char *pointer, const char *code,
    const char *text)
{
    (void) pos_fault(&im->faults, pos_str_z(pointer), code, "%s", text);
    return job_fail_faults(im);
}


/* ---- one job ---- */

static pos_status_t
split_fail(pos_import_t *im, const pos_split_t *split, pos_status_t status)
{
    char text[200];

    if (status == POS_NO_MEMORY || status == POS_BROKEN) {
        return POS_AGAIN;
    }

    snprintf(text, sizeof(text), "line %llu: %s",
             (unsigned long long) pos_split_line(split), pos_split_error(split));
    (void) pos_fault(&im->faults, pos_str(""), "json_syntax", "%s", text);
    return POS_OK;
}


/* Reads the file to its end or first syntax error. POS_AGAIN: interrupted. */
static pos_status_t
import_read(pos_import_t *im, int fd)
{
    pos_split_item_t item;
    pos_split_t     *split = pos_split_create(fd);
    pos_status_t     status = POS_NO_MEMORY;

    while (split != NULL && !pos_stop) {
        status = pos_split_next(split, &item);
        if (status != POS_OK) {
            break;
        }
        if (!import_item(im, &item)
            || !job_progress(im, pos_split_offset(split), "checking"))
        {
            pos_log("warning", "job %s stops: %s", im->job->job,
                    im->lost ? "its lease is gone, or it was cancelled"
                             : im->stage->error);
            status = POS_AGAIN;
            break;
        }
    }

    if (split == NULL || pos_stop) {
        status = POS_AGAIN;
    } else if (status == POS_NOT_FOUND) {
        status = POS_OK;
    } else if (status != POS_AGAIN) {
        status = split_fail(im, split, status);
    }

    pos_split_destroy(split);
    return status;
}


static bool
stage_begin(pos_import_t *im)
{
    PGresult *r;
    bool      ok;

    im->copy_len = 0;
    if (!pos_pg_run(im->stage, IMPORT_TIMEOUT, "select pos.open_import()")
        || !pos_pg_send(im->stage, "copy pg_temp.import_row"
                                   " (section, ordinal, code, value) from stdin"))
    {
        return false;
    }

    r = pos_pg_receive(im->stage, IMPORT_TIMEOUT);
    ok = r != NULL && PQresultStatus(r) == PGRES_COPY_IN;
    PQclear(r);
    return ok;
}


static bool
apply_send(pos_import_t *im)
{
    char       *job = PQescapeLiteral(im->stage->conn, im->job->job,
                                      strlen(im->job->job));
    char        sql[400];
    bool        ok;

    if (job == NULL) {
        return false;
    }

    snprintf(sql, sizeof(sql),
             "begin; select set_config('pos.retailer', '%s', true);"
             " select pos.apply_import(%s, %s)::text; commit",
             im->job->retailer, job, im->job->lease);
    PQfreemem(job);
    ok = pos_pg_send(im->stage, sql);
    return ok;
}


/* The reasons that the database gives go to the client as they are. */
static pos_status_t
apply_refused(pos_import_t *im)
{
    char state[sizeof(im->stage->sqlstate)];

    /* The rollback is a command too, and clears it. */
    memcpy(state, im->stage->sqlstate, sizeof(state));
    pos_log("info", "job %s: %s %s", im->job->job, im->stage->sqlstate,
            im->stage->error);
    if (im->stage->conn == NULL || im->lost) {
        return POS_AGAIN;
    }
    if (!pos_pg_run(im->stage, IMPORT_TIMEOUT, "rollback")) {
        return POS_AGAIN;
    }
    if (memcmp(state, "POS", 3) == 0 && im->stage->detail != NULL) {
        return job_fail(im, pos_str_z(im->stage->detail));
    }
    if (memcmp(state, "40", 2) == 0
        || memcmp(state, "55P03", 5) == 0
        || memcmp(state, "57", 2) == 0
        || memcmp(state, "53", 2) == 0)
    {
        return POS_AGAIN;
    }

    return job_fail_text(im, "", "internal", "the import could not be applied");
}


static pos_status_t
import_apply(pos_import_t *im)
{
    int64_t   until = pos_now() + IMPORT_APPLY;
    PGresult *r;

    if (!apply_send(im)) {
        return POS_AGAIN;
    }

    im->next_renew = 0;
    while (!pos_pg_ready(im->stage)) {
        if (pos_stop || pos_now() >= until) {
            pos_pg_close(im->stage);
            return POS_AGAIN;
        }
        /* A lease that is gone here may have ended by our own commit; if not,
         * the transaction itself finds out and rolls back. */
        (void) (im->lost || job_progress(im, im->size, "applying"));
        pos_wait(PQsocket(im->stage->conn), 200000);
    }

    r = pos_pg_receive(im->stage, IMPORT_TIMEOUT);
    if (r == NULL) {
        return apply_refused(im);
    }

    PQclear(r);
    pos_log("info", "job %s: imported %llu elements into retailer %s",
            im->job->job, (unsigned long long) im->elements, im->job->retailer);
    return POS_OK;
}


static pos_status_t
import_stage(pos_import_t *im, int fd)
{
    pos_status_t status;

    if (!stage_begin(im)) {
        pos_log("error", "job %s: %s", im->job->job, im->stage->error);
        return POS_AGAIN;
    }

    status = import_read(im, fd);
    if (status != POS_OK) {
        /* Leaving COPY half way: this connection is of no further use. */
        pos_pg_close(im->stage);
        return status;
    }

    if (!copy_flush(im) || !pos_pg_copy_end(im->stage, IMPORT_APPLY)) {
        pos_log("error", "job %s: %s", im->job->job, im->stage->error);
        return im->stage->sqlstate[0] == '2'
               ? job_fail_text(im, "", "invalid", "a value cannot be stored")
               : POS_AGAIN;
    }

    return im->faults.count > 0 ? job_fail_faults(im) : import_apply(im);
}


static void
import_reset(pos_import_t *im, pos_pg_t *stage, pos_pg_t *control,
    const pos_import_job_t *job)
{
    im->stage = stage;
    im->control = control;
    im->job = job;
    im->elements = im->size = 0;
    im->lost = false;
    im->next_renew = 0;
    memset(im->seen, 0, sizeof(im->seen));
    pos_arena_reset(im->faults_arena);
    pos_faults_init(&im->faults, im->faults_arena);
}


pos_status_t
pos_import_run(pos_import_t *im, pos_pg_t *stage, pos_pg_t *control,
    const pos_import_job_t *job)
{
    struct stat  st;
    pos_status_t status;
    int          fd;

    import_reset(im, stage, control, job);
    if (job->attempts > IMPORT_ATTEMPTS) {
        return job_fail_text(im, "", "interrupted",
                             "the import was interrupted too often");
    }

    fd = open(job->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return job_fail_text(im, "", "internal", "the upload is gone");
    }

    im->size = (uint64_t) st.st_size;
    status = import_stage(im, fd);
    close(fd);
    return status;
}
