/* In place of libFuzzer, with any compiler: a target over the files that are named, once
 * each. What a fuzzer has found stays found. */

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        FILE    *file = fopen(argv[i], "rb");
        long     size;
        uint8_t *data;

        if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 2;
        }
        /* Of its own size, so that a look behind it is seen. */
        data = malloc(size > 0 ? (size_t) size : 1);
        rewind(file);
        if (data == NULL || fread(data, 1, (size_t) size, file) != (size_t) size) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 2;
        }
        fclose(file);
        fprintf(stderr, "%s\n", argv[i]);
        (void) LLVMFuzzerTestOneInput(data, (size_t) size);
        free(data);
    }

    return 0;
}
