/*
 * The quarantine that all processes of a machine share: DIR/quarantine, mapped
 * by nginx's workers and by posd's process for jobs. What one of them notes with
 * its last breath is there for the others at once, and after a restart too.
 */

#ifndef POS_REPLICA_QUARANTINE_FILE_H
#define POS_REPLICA_QUARANTINE_FILE_H

#include "engine/quarantine.h"

/* DIR is the replica's folder; the file is made where there is none, and made
 * anew where it is damaged. Mapped until the process ends. POS_BROKEN: errno
 * says why; POS_LIMIT: the path is too long. */
pos_status_t pos_quarantine_open(const char *dir, pos_quarantine_t **out) POS_MUSTCHECK;

#endif
