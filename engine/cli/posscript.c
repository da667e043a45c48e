/*
 * posscript [--rehearse] FILE.lua …: loads Lua promotions in the sandbox, as the
 * server would, and prints one JSON object a promotion: its document, its
 * settings and its own cases. For authors, editors and the tests of
 * scripts/promotions. With --rehearse each is priced over made-up carts and its
 * own cases as well. Faults go to stderr as file:line:column: code: message; the
 * exit code is then 1.
 */

#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "engine/rehearse.h"
#include "engine/script.h"

#define SOURCE_MAX  (1u << 20)
#define NOON        (INT64_C(1795780800) * 1000000)    /* 2026-11-27T12:00:00Z */

static bool rehearses;

static bool
read_file(const char *path, pos_arena_t *arena, pos_str_t *out)
{
    FILE *file = fopen(path, "rb");
    char *data = pos_arena_alloc(arena, SOURCE_MAX);

    if (file == NULL || data == NULL) {
        perror(path);
        if (file) {
            fclose(file);
        }
        return false;
    }
    *out = pos_str_of(data, fread(data, 1, SOURCE_MAX, file));
    fclose(file);
    return true;
}

static void
print_faults(const char *path, const pos_faults_t *faults)
{
    const pos_fault_t *f;

    for (f = faults->first; f; f = f->next) {
        fprintf(stderr, "%s:%u:%u: %s: %.*s\n", path, f->line, f->column, f->code,
            (int) f->message.len, f->message.data);
    }
}

static void
print_promotion(const pos_script_promotion_t *p, pos_arena_t *arena)
{
    pos_writer_t w;

    pos_writer_init(&w, arena, 4096, 4 * SOURCE_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, p->id);
    pos_write_key(&w, "code");
    pos_write_bool(&w, p->script != NULL);
    pos_write_key(&w, "document");
    pos_write_raw(&w, p->document);
    pos_write_key(&w, "settings");
    pos_write_raw(&w, p->settings.len ? p->settings : pos_str("{}"));
    pos_write_key(&w, "cases");
    pos_write_raw(&w, p->cases.len ? p->cases : pos_str("[]"));
    pos_write_object_end(&w);
    printf("%.*s\n", (int) pos_writer_result(&w).len, pos_writer_result(&w).data);
}

/* {"id": …, "script": …}: as it would stand in a book. */
static pos_status_t
add_to(pos_rehearsal_t *r, const pos_script_promotion_t *p, pos_str_t source,
    pos_json_reader_t *reader, pos_arena_t *arena, pos_faults_t *faults)
{
    pos_writer_t w;
    pos_json_t  *json;
    pos_status_t status;

    pos_writer_init(&w, arena, source.len + 256, 4 * SOURCE_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, p->id);
    pos_write_key(&w, "script");
    pos_write_string(&w, source);
    pos_write_object_end(&w);
    status = pos_json_read(reader, pos_writer_result(&w), arena, faults, &json);
    return status == POS_OK ? pos_rehearsal_add(r, json, p->cases, faults) : status;
}

static bool
print_findings(const char *path, const pos_rehearsal_result_t *result)
{
    const pos_finding_t *f;

    for (f = result->findings; f; f = f->next) {
        fprintf(stderr, "%s:%u:0: %s%s: %.*s\n", path, f->line, f->warning ? "warning: " : "",
            f->code, (int) f->message.len, f->message.data);
        if (f->cart.len > 0) {
            fprintf(stderr, "    %.*s\n", (int) f->cart.len, f->cart.data);
        }
    }
    return result->errors == 0;
}

static bool
rehearse(pos_script_vm_t *vm, const char *path, const pos_script_promotion_t *list,
    uint32_t count, pos_str_t source, pos_arena_t *arena, pos_faults_t *faults)
{
    pos_rehearsal_options_t options = { .vm = vm, .now = NOON };
    pos_json_reader_t      *reader = pos_json_reader_create(4 * SOURCE_MAX);
    pos_rehearsal_t        *r = NULL;
    pos_status_t            status = reader ? pos_rehearsal_create(&options, &r) : POS_NO_MEMORY;
    bool                    good = false;
    uint32_t                i;

    for (i = 0; i < count && status == POS_OK; i++) {
        status = add_to(r, &list[i], source, reader, arena, faults);
    }
    if (status == POS_OK) {
        do {
            status = pos_rehearsal_step(r);
        } while (status == POS_AGAIN);
    }
    print_faults(path, faults);
    if (status == POS_OK) {
        good = print_findings(path, pos_rehearsal_result(r));
    }
    pos_rehearsal_destroy(r);
    pos_json_reader_destroy(reader);
    return good;
}

static bool
one_file(pos_script_vm_t *vm, const char *path)
{
    pos_arena_t            *arena = pos_arena_create(1u << 16, 0);
    pos_faults_t            faults;
    pos_script_promotion_t *list = NULL;
    uint32_t                count = 0, i;
    pos_str_t               source;
    bool                    good = false;

    if (arena && read_file(path, arena, &source)) {
        pos_faults_init(&faults, arena);
        good = pos_script_load(vm, source, pos_str_z(path), NULL, pos_str(""), arena,
                   &faults, &list, &count) == POS_OK;
        print_faults(path, &faults);
        good = good && (!rehearses || rehearse(vm, path, list, count, source, arena, &faults));
    }
    for (i = 0; i < count; i++) {
        print_promotion(&list[i], arena);
        pos_script_release(list[i].script);
    }
    if (arena) {
        pos_arena_destroy(arena);
    }
    return good;
}

int
main(int argc, char **argv)
{
    pos_script_limits_t limits;
    pos_script_vm_t    *vm;
    bool                good = true;
    int                 i = 1;

    rehearses = argc > 1 && strcmp(argv[1], "--rehearse") == 0;
    i += rehearses;
    if (i >= argc || argv[i][0] == '-') {
        fprintf(stderr, "usage: posscript [--rehearse] FILE.lua ...\n"
            "Loads Lua promotions as the server would and prints each as JSON: its document, settings and cases.\n"
            "--rehearse prices it over made-up carts and its own cases, too. Faults: file:line:column: code: message.\n");
        return 2;
    }
    pos_script_limits_default(&limits);
    if (pos_script_vm_create(&limits, &vm) != POS_OK) {
        fprintf(stderr, "no memory\n");
        return 2;
    }
    for (; i < argc; i++) {
        good = one_file(vm, argv[i]) && good;
    }
    pos_script_vm_destroy(vm);
    return good ? 0 : 1;
}
