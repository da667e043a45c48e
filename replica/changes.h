/*
 * Which small entities each revision changed, kept beside the rows: a worker that has the
 * book of a revision before compiles what is named, and nothing else. Written in the
 * transaction that changes the rows.
 *
 *   change  number, generation (u32 big endian), revision (u64 big endian)
 *           -> framed: digest of all small entities before, and after (32 bytes each),
 *              then each changed row: its kind and its key
 *
 * What a row became is read from the row itself. Records are told to follow one another by
 * the digests, not by their numbers: what was not written down, a copy in bulk or a revision
 * too big to list, breaks the chain, and the book is compiled as a whole. The last
 * POS_CHANGES_KEPT revisions are kept, of a generation that is replaced none.
 */

#ifndef POS_REPLICA_CHANGES_H
#define POS_REPLICA_CHANGES_H

#include "replica/writer_book.h"

#define POS_CHANGES_KEPT     256
#define POS_CHANGES_MAX      4096     /* bytes of a record                   */
#define POS_CHANGES_KEY      16       /* bytes of its key                    */
#define POS_CHANGES_READ     1024     /* changes that are worth following    */

typedef struct {
    uint8_t         bytes[POS_CHANGES_MAX];
    pos_bytes_out_t out;
} pos_changes_t;

void pos_changes_key(uint8_t out[POS_CHANGES_KEY], uint32_t no, uint32_t generation,
    uint64_t rev);

void pos_changes_begin(pos_changes_t *changes, const uint8_t before[POS_SHA256_SIZE]);
void pos_changes_note(pos_changes_t *changes, pos_kind_t kind, pos_str_t key);
/* Files them under the head as it will be, if it changed at all; what is too old goes. */
int pos_changes_put(pos_replica_writer_t *w, MDB_txn *txn, pos_changes_t *changes,
    const pos_head_t *head);
/* All of a retailer's. */
int pos_changes_drop(pos_replica_writer_t *w, MDB_txn *txn, uint32_t no);

#endif
