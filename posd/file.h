/*
 * A whole file in memory, bounded.
 */

#ifndef POS_POSD_FILE_H
#define POS_POSD_FILE_H

#include "base/base.h"

/* Its bytes with a zero behind them, malloc'ed; NULL and errno on failure or
 * when it is larger than `max`. */
char *pos_file_read(const char *path, size_t max, size_t *len);

#endif
