/* Any bytes at the JSON door: it and the plain scanner must agree, and what is
 * taken must come out of the writer as the same value. */

#include "base/json_locate.h"
#include "base/json_write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static pos_str_t
written(const pos_json_t *root, pos_arena_t *arena)
{
    pos_writer_t w;

    pos_writer_init(&w, arena, 1024, SIZE_MAX / 4);
    pos_write_json(&w, root);

    return pos_writer_result(&w);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pos_str_t          text = pos_str_of((const char *) data, size), once, twice;
    pos_arena_t       *arena = pos_arena_create(4096, 0);
    pos_json_t        *root;
    pos_faults_t       faults;
    pos_status_t       status;
    pos_json_spot_t    spot;
    pos_json_reader_t *reader = pos_json_reader_create(1 << 20);

    pos_faults_init(&faults, arena);
    status = pos_json_read(reader, text, arena, &faults, &root);

    if (size > 1 << 20) {
        if (status != POS_INVALID) {
            abort();
        }

    } else if (status == POS_INVALID) {
        /* A name that is there twice is told before what is wrong behind it. */
        bool duplicate = strcmp(faults.first->code, "json_duplicate_key") == 0;

        if ((pos_json_scan(text, &spot) && !duplicate) || faults.first->line == 0) {
            abort();
        }

    } else {
        once = written(root, arena);

        if (status != POS_OK || !pos_json_scan(text, &spot)
            || pos_json_read(reader, once, arena, &faults, &root) != POS_OK) {
            abort();
        }

        twice = written(root, arena);
        if (!pos_str_eq(once, twice)) {
            abort();
        }
    }

    pos_json_reader_destroy(reader);
    pos_arena_destroy(arena);

    return 0;
}
