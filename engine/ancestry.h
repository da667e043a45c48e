/*
 * Depths of categories, and which of them never come to a root because their
 * parents go in a circle; in steps.
 */

#ifndef POS_ANCESTRY_H
#define POS_ANCESTRY_H

#include "engine/book_data.h"

typedef struct {
    pos_category_t **all;
    uint32_t         count;
    uint32_t         next;        /* the category to begin at               */
    pos_category_t  *walk;        /* how far up, on the way to a known one  */
    pos_category_t **path;        /* below it                               */
    uint32_t         length;
    bool             returning;
} pos_ancestry_t;

/* `path` has room for all. */
void pos_ancestry_init(pos_ancestry_t *ancestry, pos_category_t **all, uint32_t count,
    pos_category_t **path);
/* Takes at most `moves` steps up or down; true: all are known. A category in a
 * circle, or below one, is `broken` and keeps its parent. */
bool pos_ancestry_step(pos_ancestry_t *ancestry, uint32_t moves);

#endif
