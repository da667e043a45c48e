/* Any bytes as a TZif file: refused, or a zone in which times can be told. */

#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = { INT64_C(-5000000000000000), 0, INT64_C(1795770000000000),
                                     INT64_C(4000000000000000), INT64_C(200000000000000000) };
    pos_civil_t       civil;
    pos_arena_t      *arena = pos_arena_create(4096, 0);
    const pos_zone_t *zone;

    if (pos_zone_read(arena, pos_str_of((const char *) data, size), &zone) == POS_OK) {
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
            pos_civil_of(zone, times[i], &civil);
            (void) pos_civil_to_time(zone, &civil);
        }
    }

    pos_arena_destroy(arena);

    return 0;
}
