/* A schema, a line feed, a value: neither may do harm; valid means no faults,
 * and invalid means at least one. */

#include "base/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
validate(pos_schema_set_t *set, const pos_json_t *json, const pos_json_t *value, pos_str_t text,
    pos_arena_t *arena)
{
    uint32_t            before;
    pos_json_t         *typed;
    pos_faults_t        faults;
    pos_status_t        status;
    const pos_schema_t *schema;

    pos_faults_init(&faults, arena);
    if (pos_schema_compile(set, json, pos_str("/components/schemas/it"), &faults, &schema) != POS_OK) {
        if (faults.count == 0) {
            abort();
        }
        return;
    }

    status = pos_schema_validate(schema, value, pos_str(""), &faults);
    if ((status == POS_OK) != (faults.count == 0)) {
        abort();
    }

    before = faults.count;
    status = pos_schema_validate_text(schema, text, pos_str("/query/x"), &faults, &typed);
    if ((status == POS_OK) != (faults.count == before)) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             at;
    pos_str_t          value_text;
    const char        *text = (const char *) data, *cut = size ? memchr(data, '\n', size) : NULL;
    pos_json_t        *document, *value;
    const pos_json_t  *json;
    pos_arena_t       *arena;
    pos_faults_t       faults;
    pos_schema_set_t  *set = NULL;
    pos_json_reader_t *reader;

    if (cut == NULL) {
        return 0;
    }

    at = (size_t) (cut - text);
    arena = pos_arena_create(4096, 0);
    reader = pos_json_reader_create(1 << 16);
    pos_faults_init(&faults, arena);
    value_text = pos_str_of(cut + 1, size - at - 1);

    /* The document is {"components":{"schemas":{"it":…}}}, so that $ref works. */
    if (pos_json_read(reader, pos_arena_printf(arena, "{\"components\":{\"schemas\":{\"it\":%.*s}}}", (int) at, text),
                      arena, &faults, &document) == POS_OK
        && pos_json_read(reader, value_text, arena, &faults, &value) == POS_OK
        && pos_schema_set_create(arena, document, &set) == POS_OK) {
        json = pos_json_get(pos_json_get(pos_json_get(document, "components"), "schemas"), "it");
        validate(set, json, value, value_text, arena);
    }

    pos_schema_set_destroy(set);
    pos_json_reader_destroy(reader);
    pos_arena_destroy(arena);

    return 0;
}
