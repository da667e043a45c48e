/*
 * Names of fields that are not there: a slip of a letter or two is told what was
 * meant.
 */

#include "engine/decode.h"

#define MEANT_MAX  32     /* letters of a name that a slip is looked for in */
#define MEANT_FAR  3      /* letters apart: not a slip any more             */


/* Letters to change, add or leave out from one to the other; MEANT_FAR: many. */
static unsigned
letters_apart(const char *name, pos_str_t key)
{
    unsigned row[MEANT_MAX + 1], n = (unsigned) strlen(name);

    if (n > MEANT_MAX || key.len > MEANT_MAX) {
        return MEANT_FAR;
    }
    for (unsigned j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= key.len; i++) {
        unsigned corner = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned change = corner + (key.data[i - 1] != name[j - 1]);
            unsigned one = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            corner = row[j];
            row[j] = change < one ? change : one;
        }
    }
    return row[n];
}


const char *
pos_decode_meant(const char *const *names, pos_str_t key)
{
    const char *found = NULL;
    unsigned    least = key.len > 5 ? MEANT_FAR : 2;   /* "cases" is no slip for "class" */

    for (; *names != NULL; names++) {
        unsigned n = letters_apart(*names, key);

        if (n < least) {
            least = n;
            found = *names;
        }
    }
    return found;
}


void
pos_decode_unknown(pos_decoder_t *d, const pos_at_t *at, const char *const *names,
    pos_str_t key)
{
    const char *meant = pos_decode_meant(names, key);
    pos_at_t    here = pos_at_str(at, key);

    pos_decode_fault(d, &here, "unknown_field", "there is no field \"%.*s\" here%s%s%s",
        (int) (key.len > 100 ? 100 : key.len), key.data, meant ? "; is \"" : "",
        meant ? meant : "", meant ? "\" meant?" : "");
}
