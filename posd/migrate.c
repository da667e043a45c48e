/*
 * Migrating: numbered files once each, in order, proved unchanged by checksum;
 * then every file of api/ again; then the manifest against the database. One
 * transaction under one advisory lock: all of it or nothing.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "posd/commands.h"
#include "posd/file.h"
#include "posd/pg.h"

#define MIGRATE_TIMEOUT  (10 * 60 * 1000000LL)
#define MIGRATE_LOCK     "7305115"        /* any number, the same for ever */
#define FILES_MAX        10000

typedef struct {
    char **names;
    size_t count;
} files_t;


static int
name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static void
files_free(files_t *f)
{
    while (f->count > 0) {
        free(f->names[--f->count]);
    }
    free(f->names);
}


static bool
files_add(files_t *f, const char *name)
{
    char **grown = realloc(f->names, (f->count + 1) * sizeof(*grown));

    if (grown == NULL || f->count == FILES_MAX) {
        return false;
    }

    f->names = grown;
    f->names[f->count] = strdup(name);
    return f->names[f->count++] != NULL;
}


static bool
files_list(const char *dir, files_t *f)
{
    struct dirent *e;
    DIR           *d = opendir(dir);
    size_t         len;
    bool           ok = true;

    if (d == NULL) {
        pos_log("error", "%s: %s", dir, strerror(errno));
        return false;
    }

    while (ok && (e = readdir(d)) != NULL) {
        len = strlen(e->d_name);
        if (len > 4 && strcmp(e->d_name + len - 4, ".sql") == 0) {
            ok = files_add(f, e->d_name);
        }
    }

    closedir(d);
    if (ok && f->count > 1) {
        qsort(f->names, f->count, sizeof(*f->names), name_compare);
    }

    return ok;
}


static bool
failed(const pos_pg_t *pg, const char *what)
{
    pos_log("error", "%s: %s", what, pg->error);
    return false;
}


static bool
run_file(pos_pg_t *pg, const char *dir, const char *name, char *text)
{
    char what[600];

    snprintf(what, sizeof(what), "%.250s/%.250s", dir, name);
    if (!pos_pg_run(pg, MIGRATE_TIMEOUT, text)) {
        return failed(pg, what);
    }

    return pos_pg_run(pg, MIGRATE_TIMEOUT, "reset role")
           || failed(pg, what);
}


/* The checksum that is on record: 1 found, 0 none, -1 failure. */
static int
migration_known(pos_pg_t *pg, const char *version, char checksum[65])
{
    const char *params[] = { version };
    PGresult   *r;
    int         found;

    r = pos_pg_query(pg, MIGRATE_TIMEOUT,
                     "select to_regclass('pos.migration') is not null", 0, NULL);
    if (r == NULL) {
        return -1;
    }

    found = PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    if (!found) {
        return 0;
    }

    r = pos_pg_query(pg, MIGRATE_TIMEOUT,
        "select checksum from pos.migration where version = $1::int", 1, params);
    if (r == NULL) {
        return -1;
    }

    found = PQntuples(r);
    if (found) {
        snprintf(checksum, 65, "%s", PQgetvalue(r, 0, 0));
    }

    PQclear(r);
    return found;
}


static bool
migrate_one(pos_pg_t *pg, const char *dir, const char *name, char *text,
    size_t len)
{
    uint8_t     digest[POS_SHA256_SIZE];
    char        hex[65], known[65], version[16];
    const char *params[] = { version, name, hex };
    PGresult   *r;
    int         found;

    pos_sha256(pos_str_of(text, len), digest);
    pos_hex(pos_str_of((const char *) digest, sizeof(digest)), hex);
    hex[64] = '\0';
    snprintf(version, sizeof(version), "%ld", strtol(name, NULL, 10));

    found = migration_known(pg, version, known);
    if (found < 0) {
        return failed(pg, name);
    }
    if (found > 0) {
        if (strcmp(hex, known) != 0) {
            pos_log("error", "migration %s was changed after it was applied",
                    name);
            return false;
        }
        return true;
    }

    if (!run_file(pg, dir, name, text)) {
        return false;
    }

    r = pos_pg_query(pg, MIGRATE_TIMEOUT,
        "insert into pos.migration (version, name, checksum)"
        " values ($1::int, $2, $3)", 3, params);
    PQclear(r);
    if (r == NULL) {
        return failed(pg, name);
    }

    pos_log("info", "migrated %s", name);
    return true;
}


static bool
each_file(pos_pg_t *pg, const char *sql, const char *folder, bool numbered)
{
    files_t files = { 0 };
    char    dir[512], path[1024], *text;
    size_t  i, len;
    bool    ok;

    snprintf(dir, sizeof(dir), "%s/%s", sql, folder);
    ok = files_list(dir, &files);
    for (i = 0; ok && i < files.count; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files.names[i]);
        text = pos_file_read(path, 16 * 1024 * 1024, &len);
        if (text == NULL) {
            pos_log("error", "%s: %s", path, strerror(errno));
            ok = false;
            break;
        }
        ok = numbered ? migrate_one(pg, dir, files.names[i], text, len)
                      : run_file(pg, dir, files.names[i], text);
        free(text);
    }

    files_free(&files);
    return ok;
}


/* Every function that the contract was built against must be there. */
static bool
check_manifest(pos_pg_t *pg, const char *path)
{
    const char *params[1];
    PGresult   *r;
    char       *text;
    size_t      len;
    int         i;

    text = pos_file_read(path, 1024 * 1024, &len);
    if (text == NULL) {
        pos_log("error", "%s: %s", path, strerror(errno));
        return false;
    }

    params[0] = text;
    r = pos_pg_query(pg, MIGRATE_TIMEOUT,
        "select f from regexp_split_to_table($1, '\\s+') f where f <> ''"
        " and to_regprocedure('api.' || quote_ident(f) || '(jsonb)') is null",
        1, params);
    free(text);
    if (r == NULL) {
        return failed(pg, "manifest");
    }

    for (i = 0; i < PQntuples(r); i++) {
        pos_log("error", "the database has no function api.%s(jsonb)",
                PQgetvalue(r, i, 0));
    }

    i = PQntuples(r);
    PQclear(r);
    return i == 0;
}


static bool
migrate(pos_pg_t *pg, const pos_options_t *o)
{
    if (!pos_pg_run(pg, MIGRATE_TIMEOUT,
                    "begin; set local lock_timeout = '60s';"
                    " select pg_advisory_xact_lock(" MIGRATE_LOCK ")"))
    {
        return failed(pg, "begin");
    }

    if (!each_file(pg, o->sql, "migrations", true)
        || !each_file(pg, o->sql, "api", false)
        || !check_manifest(pg, o->functions))
    {
        return false;
    }

    return pos_pg_run(pg, MIGRATE_TIMEOUT, "commit") || failed(pg, "commit");
}


int
pos_command_migrate(const pos_options_t *o)
{
    pos_pg_t pg = { 0 };
    bool     ok;

    if (pos_pg_connect(&pg, o->database, "posd migrate", 10000000) != POS_OK) {
        (void) failed(&pg, "database");
        return 1;
    }

    ok = migrate(&pg, o);
    pos_pg_close(&pg);
    return ok ? 0 : 1;
}
