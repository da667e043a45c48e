/*
 * What a misspelt field was meant to be: a slip is found, another word is not taken
 * for one.
 */

#include "base/t/tap.h"
#include "engine/decode.h"

static const char *const names[] = { "class", "store", "limits", "priority", NULL };


static void
meant(const char *key, const char *name)
{
    const char *found = pos_decode_meant(names, pos_str_z(key));

    is_str(pos_str_z(found ? found : "nothing"), name, "\"%s\" means %s", key, name);
}


int
main(void)
{
    meant("clas", "class");
    meant("classs", "class");
    meant("stor", "store");
    meant("limit", "limits");
    meant("prioritty", "priority");
    meant("prioity", "priority");
    meant("piroity", "nothing");
    meant("cases", "nothing");
    meant("shop", "nothing");
    meant("score", "store");
    meant("stack", "nothing");
    meant("a name that is longer than any slip can be", "nothing");
    return tap_done();
}
