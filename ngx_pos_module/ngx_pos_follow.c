/* What changed since a book, told to its builder. */

#include "ngx_pos_follow.h"

#define NGX_POS_FOLLOW_BLOCK  4096


/*
 * The rows that changed, and those that were at fault and may be so no more.
 * Both lists are in order. NULL: there is no memory, or a row is damaged, which
 * is for the building of the whole book to say.
 */

static pos_book_change_t *
ngx_pos_follow_changes(pos_snapshot_t *snapshot, const pos_head_t *head,
    const pos_book_report_t *report, pos_arena_t *arena, const pos_str_t *keys,
    uint32_t *count)
{
    int                       order;
    uint32_t                  i, n, most;
    pos_str_t                 key;
    pos_status_t              status;
    pos_book_change_t        *changes;
    const pos_book_report_t  *r;

    most = *count;
    for (r = report; r != NULL; r = r->next) {
        most++;
    }

    changes = pos_arena_array(arena, most + 1, sizeof(*changes));
    if (changes == NULL) {
        return NULL;
    }

    for (i = 0, n = 0; /* void */; n++) {
        while (report != NULL && report->kind != POS_KIND_PROMOTION) {
            report = report->next;
        }

        if (i == *count && report == NULL) {
            break;
        }

        order = (i == *count) ? 1
                : (report == NULL) ? -1 : pos_str_cmp(keys[i], report->key);
        key = (order <= 0) ? keys[i] : report->key;
        i += (order <= 0);
        report = (order >= 0) ? report->next : report;

        changes[n].key = key;
        status = pos_snapshot_row(snapshot, head, POS_KIND_PROMOTION, key,
                                  &changes[n].value);

        if (status == POS_NOT_FOUND) {
            changes[n].value = pos_str_of(NULL, 0);

        } else if (status != POS_OK) {
            return NULL;
        }
    }

    *count = n;
    return changes;
}


ngx_int_t
ngx_pos_follow(pos_snapshot_t *snapshot, const pos_head_t *head,
    const ngx_pos_shop_t *before, pos_script_vm_t *vm, pos_arena_t **arena,
    pos_book_builder_t **builder)
{
    uint32_t            count;
    pos_arena_t        *own;
    pos_status_t        status;
    const pos_str_t    *keys;
    pos_book_change_t  *changes;

    own = pos_arena_create(NGX_POS_FOLLOW_BLOCK, 0);
    if (own == NULL) {
        return NGX_ERROR;
    }

    changes = NULL;
    status = pos_snapshot_changes(snapshot, head, before->head.small, own,
                                  &keys, &count);

    if (status == POS_OK) {
        changes = ngx_pos_follow_changes(snapshot, head,
                                         pos_book_reports(before->book), own,
                                         keys, &count);
    }

    if (changes == NULL
        || pos_book_builder_follow(before->book, vm, changes, count, builder)
           != POS_OK)
    {
        pos_arena_destroy(own);
        return NGX_DECLINED;
    }

    *arena = own;

    return NGX_AGAIN;
}
