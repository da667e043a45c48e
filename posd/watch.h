/*
 * The second fence behind the script sandbox, for a process that loads what is
 * imported: a script that runs on where no limit looks would hold up every import
 * there is. The process ends, its successor and nginx keep the source out, and the
 * import that brought it fails with its name.
 */

#ifndef POS_POSD_WATCH_H
#define POS_POSD_WATCH_H

#include "engine/script.h"

/* What --script-cpu-time says, 0 for off. False: it cannot be that; logged. */
bool pos_watch_limit(const char *text, long *ms) POS_MUSTCHECK;

/* The limits of an import's scripts; `instructions` is what --script-instructions
 * says, or NULL. False: it cannot be that; logged. */
bool pos_watch_limits(const char *instructions, pos_script_limits_t *out)
    POS_MUSTCHECK;

/* The process's quarantine, once; a process with several threads that run scripts opens
 * it before them. False: logged. */
bool pos_watch_open(const char *replica) POS_MUSTCHECK;

/* Watches what the calling thread runs in `vm`. `ms` is what one call has; `replica` the folder whose quarantine is shared with
 * nginx (NULL: this process has one of its own). False: logged. */
bool pos_watch_start(pos_script_vm_t *vm, long ms, const char *replica)
    POS_MUSTCHECK;

/* Before the VM goes: no tick looks at it any more. */
void pos_watch_stop(void);
/* The same of one thread of several: the others are watched on. */
void pos_watch_leave(void);

#endif
