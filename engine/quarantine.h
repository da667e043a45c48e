/*
 * Sources of scripts that are not run any more, since each held up a process
 * until that one ended itself. The caller's memory, zeroed at first and shared by
 * the processes that should know: whoever is about to end adds, all others look.
 */

#ifndef POS_QUARANTINE_H
#define POS_QUARANTINE_H

#include "base/base.h"
#include "base/hash.h"

#define POS_QUARANTINE_MAX   64    /* the last so many are kept out   */
#define POS_CULPRIT_NAME     64    /* bytes of a promotion's id       */

typedef struct {
    unsigned long whole;           /* written last: 0 while it is not */
    uint8_t       source[POS_SHA256_SIZE];
    uint32_t      len;
    char          promotion[POS_CULPRIT_NAME];    /* printable, no quotes */
} pos_culprit_t;

typedef struct {
    unsigned long claimed;         /* entries ever begun              */
    unsigned long changes;         /* grows once one is whole         */
    pos_culprit_t ring[POS_QUARANTINE_MAX];
} pos_quarantine_t;

/* Safe in a signal handler, beside any other process's: takes no lock. */
const pos_culprit_t *pos_quarantine_add(pos_quarantine_t *quarantine,
    const uint8_t source[POS_SHA256_SIZE], pos_str_t promotion);
bool pos_quarantine_holds(const pos_quarantine_t *quarantine,
    const uint8_t source[POS_SHA256_SIZE]);
/* False: this is no quarantine, but what a damaged file left in its place. */
bool pos_quarantine_sound(const pos_quarantine_t *quarantine);
/* The i-th entry; NULL: none there, or its source stands in one before (two
 * processes may meet it at once). */
const pos_culprit_t *pos_quarantine_at(const pos_quarantine_t *quarantine, unsigned i);
static inline unsigned long
pos_quarantine_changes(const pos_quarantine_t *quarantine)
{
    return __atomic_load_n(&quarantine->changes, __ATOMIC_ACQUIRE);
}

#endif
