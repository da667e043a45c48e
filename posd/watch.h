/*
 * The second fence behind the script sandbox, for the process that loads what is
 * imported: a script that runs on where no limit looks would hold up every import
 * there is. The process ends, its successor keeps the source out, and the import
 * that brought it fails with its name.
 */

#ifndef POS_POSD_WATCH_H
#define POS_POSD_WATCH_H

#include "engine/script.h"

/* In the daemon: memory that outlives the process that loads scripts, as a
 * descriptor for it to inherit. -1: none; errno says why. */
int pos_watch_memory(void);

/* What --script-cpu-time says, 0 for off. False: it cannot be that; logged. */
bool pos_watch_limit(const char *text, long *ms) POS_MUSTCHECK;

/* In that process. `ms` is what one call has; `memory` the descriptor's number
 * (NULL: this process only). False: logged. */
bool pos_watch_start(pos_script_vm_t *vm, long ms, const char *memory)
    POS_MUSTCHECK;

#endif
