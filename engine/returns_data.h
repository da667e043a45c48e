/*
 * A return while it is worked out; for returns*.c only.
 *
 * Places within a run of units are thousandths from its start, whether the goods are
 * sold each or by measure: what comes back is always the run's next piece, so pieces
 * add up to the run whatever their sizes.
 */

#ifndef POS_RETURNS_DATA_H
#define POS_RETURNS_DATA_H

#include "engine/decode.h"
#include "engine/returns.h"
#include "engine/work.h"

/* Of a quote within the answer, in bytes. */
#define POS_BACK_ROOM  8192
#define POS_BACK_MAX   (1u << 30)

typedef struct {
    pos_str_t code;
    int64_t   ppm;
    int64_t   amount, fees;      /* in all; of it on fees           */
    uint32_t  kind;              /* its place in the order's taxes  */
} pos_back_tax_t;

typedef struct {
    uint32_t promotion;          /* its place in the order's; POS_NIL: by hand */
    int64_t  amount;
    int64_t  quantity;           /* of line discounts; -1: it is the order's   */
    int64_t *runs;               /* what each run bore              */
    bool     told;               /* the quote says so itself        */
} pos_back_adjust_t;

typedef struct {
    int64_t quantity, paid;
    int64_t before, back;        /* returned until now; now         */
    int64_t paid_before;         /* by the runs before this one     */
    int64_t quantity_before;
} pos_back_run_t;

typedef struct {
    pos_str_t          id, sku;
    bool               has_id, gift, measured;
    int64_t            quantity, unit_price, total, fees;
    uint32_t           run_count, adjust_count, tax_count;
    pos_back_run_t    *runs;
    pos_back_adjust_t *adjusts;
    pos_back_tax_t    *taxes;
} pos_back_line_t;

typedef struct {
    pos_str_t id;
    int64_t   amount;            /* of the whole order              */
    int64_t   on_lines;          /* the part of it on lines         */
    int64_t   back;              /* of what comes back now          */
    int64_t   kept;              /* on lines but gifts, of what is kept */
    bool      reprice;
} pos_back_promotion_t;

/* Amounts of an order by what they are for. Taxes are beside the others where they
 * are added, within them where they are included. */
typedef struct {
    int64_t  goods, fees, shipping;
    int64_t *taxes;              /* by kind                         */
} pos_back_sums_t;

/* A gift that is kept and no longer earned. */
typedef struct {
    pos_str_t sku;
    int64_t   quantity;
} pos_back_charge_t;

typedef struct {
    const pos_return_options_t *options;
    const pos_json_t           *document, *quote, *request;
    pos_arena_t                *arena;
    pos_faults_t               *faults;
    pos_decoder_t               d;
    pos_at_t                    root;
    pos_str_t                   currency, revision;
    bool                        tax_included, reprice;
    int64_t                     points;
    uint32_t                    line_count, promotion_count, kind_count;
    pos_back_line_t            *lines;
    pos_back_promotion_t       *promotions;
    pos_back_tax_t             *kinds;            /* code and rate   */
    bool                        has_shipping, shipping_before, shipping_back;
    pos_back_tax_t             *shipping_taxes;
    uint32_t                    shipping_tax_count;
    pos_back_sums_t             whole, before, now;
    /* priced again */
    int64_t                     kept_total;
    uint32_t                    charged_count;
    pos_back_charge_t          *charged;
    /* an exchange */
    pos_str_t                   sale;             /* its quote       */
    int64_t                     sale_total;
} pos_back_t;

static inline int64_t
pos_back_kept(const pos_back_line_t *line)
{
    int64_t kept = line->quantity;

    for (uint32_t r = 0; r < line->run_count; r++) {
        kept -= line->runs[r].before + line->runs[r].back;
    }
    return kept;
}

/* returns_read.c: the whole document. */
pos_status_t pos_back_read(pos_back_t *b) POS_MUSTCHECK;
/* returns_quote.c: the stored quote; what is wrong is among the faults. */
void pos_back_read_quote(pos_back_t *b);
/* A tax's place among the order's; POS_NIL: it has no such tax. */
uint32_t pos_back_kind(const pos_back_t *b, pos_str_t code, int64_t ppm);

/* returns_share.c */
/* Which runs bore each discount of the line, where the quote does not say. */
void pos_back_attribute(pos_back_line_t *line);
/* Shares of the piece [from, until) of a run. */
int64_t pos_back_paid(const pos_back_run_t *run, int64_t from, int64_t until);
int64_t pos_back_fees(const pos_back_line_t *line, uint32_t run, int64_t from, int64_t until);
int64_t pos_back_discount(const pos_back_line_t *line, uint32_t adjust, uint32_t run, int64_t from,
    int64_t until);
int64_t pos_back_taxed(const pos_back_line_t *line, uint32_t tax, uint32_t run, int64_t from,
    int64_t until);
/* `amount` over `whole`, of which the first `part`; monotone in `part`. */
int64_t pos_back_portion(int64_t amount, int64_t part, int64_t whole);

/* returns_reprice.c: prices what is kept and sets `now` to the difference. */
pos_status_t pos_back_reprice(pos_back_t *b) POS_MUSTCHECK;

/* returns_write.c */
void pos_back_write(const pos_back_t *b, pos_writer_t *out);

#endif
