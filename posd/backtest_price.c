/* A worker: chunk after chunk priced and counted. */

#include "posd/backtest_data.h"

#include <time.h>

#define DAY_US       INT64_C(86400000000)


static int64_t
thread_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


/* ---- one order ---- */

static void
count_refused(pos_tally_t *t, const pos_past_t *o, const char *code, pos_str_t name)
{
    bool         full;
    pos_count_t *row = pos_counts_row(&t->reasons, pos_str_z(code), name, POS_BACKTEST_REASONS, &full);

    t->refused++;
    if (full) {
        t->refused_otherwise++;
        return;
    }
    if (row == NULL) {
        t->no_memory = true;
        return;
    }
    if (row->orders++ == 0) {
        row->first = pos_arena_str(t->arena, o->id);
        t->no_memory |= row->first.data == NULL;
    }
}


/* By its first fault, and the name at fault. */
static void
refused(pos_tally_t *t, const pos_past_t *o, const pos_faults_t *faults)
{
    const pos_fault_t *f = faults->first;
    pos_str_t          name = { NULL, 0 }, lines = pos_str("/lines/");
    uint32_t           line = 0;

    if (f == NULL) {
        t->no_memory = true;
        return;
    }
    if (pos_str_eq(f->pointer, pos_str("/store"))) {
        name = o->store;
    } else if (pos_str_eq(f->pointer, pos_str("/currency"))) {
        name = o->currency;
    } else if (f->pointer.len > lines.len && memcmp(f->pointer.data, lines.data, lines.len) == 0) {
        for (size_t i = lines.len; i < f->pointer.len && f->pointer.data[i] != '/'; i++) {
            line = 10 * line + (uint32_t) (f->pointer.data[i] - '0');
        }
        name = line < o->line_count ? o->lines[line].sku : name;
    }
    count_refused(t, o, f->code, name);
}


static bool
count_row(pos_tally_t *t, pos_groups_t *groups, pos_str_t key, const pos_cart_figures_t *cart,
    const pos_figures_t *figures)
{
    pos_group_t *row = pos_groups_row(groups, key, cart->order->currency);

    if (row == NULL) {
        t->no_memory = true;
        return false;
    }
    pos_group_order(row, cart->seq + 1, cart->touched);
    t->overflow |= !pos_figures_add(&row->figures, figures);
    return true;
}


static void
count_groups(pos_tally_t *t, const pos_cart_figures_t *cart)
{
    const pos_past_t *o = cart->order;
    pos_str_t         none = { NULL, 0 };

    (void) (count_row(t, &t->totals, none, cart, &cart->figures)
            && count_row(t, &t->days, pos_str_z(cart->day), cart, &cart->figures)
            && count_row(t, &t->stores, o->store, cart, &cart->figures));
    for (uint32_t i = 0; i < cart->line_count; i++) {
        if (!count_row(t, &t->categories, cart->lines[i].category, cart, &cart->lines[i].figures)) {
            return;
        }
    }
    if (o->group_count == 0) {
        (void) count_row(t, &t->customer_groups, none, cart, &cart->figures);
    }
    for (uint32_t i = 0; i < o->group_count; i++) {
        bool again = false;

        for (uint32_t k = 0; k < i; k++) {
            again |= pos_str_eq(o->groups[i], o->groups[k]);
        }
        if (!again && !count_row(t, &t->customer_groups, o->groups[i], cart, &cart->figures)) {
            return;
        }
    }
}


/* The others that give less than they would without it. */
static void
count_conflicts(pos_tally_t *t, const pos_backtest_worker_t *w, const pos_cart_figures_t *cart)
{
    const pos_basket_result_t *r = cart->result;

    for (uint32_t i = 0; r->reached && i < r->without.use_count; i++) {
        const pos_basket_use_t *use = &r->without.uses[i];
        int64_t                 with = 0;
        bool                    full;
        pos_count_t            *row;

        for (uint32_t k = 0; k < r->with.use_count; k++) {
            with = pos_str_eq(r->with.uses[k].promotion, use->promotion) ? r->with.uses[k].amount : with;
        }
        if (with >= use->amount || pos_str_eq(use->promotion, w->options.promotion)) {
            continue;
        }
        row = pos_counts_row(&t->conflicts, use->promotion, cart->order->currency, 0, &full);
        if (row == NULL) {
            t->no_memory = true;
            return;
        }
        row->orders++;
        t->overflow |= __builtin_add_overflow(row->without, use->amount, &row->without)
                       || __builtin_add_overflow(row->with, with, &row->with);
    }
}


static void
count_failures(pos_tally_t *t, const pos_cart_figures_t *cart)
{
    for (uint32_t i = 0; i < cart->result->failure_count; i++) {
        const pos_script_failure_t *f = &cart->result->failures[i];
        bool                        full;
        pos_count_t                *row = pos_counts_row(&t->failures, f->promotion, pos_str(""), 0, &full);

        if (row == NULL) {
            t->no_memory = true;
            return;
        }
        if (row->orders++ == 0) {
            row->first = pos_arena_str(t->arena, cart->order->id);
            row->message = pos_arena_str(t->arena, f->text.data != NULL ? f->text : pos_str("the script fails"));
            t->no_memory |= row->first.data == NULL || row->message.data == NULL;
        }
    }
}


/* Of carts that cannot come into the result nothing is written. */
static void
show(pos_tally_t *t, const pos_chunk_t *chunk, const pos_backtest_worker_t *w, const pos_cart_figures_t *cart)
{
    const int64_t *with = cart->figures.amount[POS_WITH];
    pos_shown_t    shown = { .seq = cart->seq, .hash = pos_hash64(cart->order->id), .discount = with[POS_OFF],
        .before = with[POS_OFF] + with[POS_PAID], .margin = with[POS_MARGIN] };
    pos_str_t      unused;

    for (unsigned k = 0; k < POS_CARTS; k++) {
        if ((k == POS_CARTS_DEEPEST && shown.before <= 0) || (k == POS_CARTS_LOWEST && !cart->cost_known)
            || !pos_carts_wants(&t->carts[k], &shown) || !pos_carts_wants(&chunk->limits[k], &shown))
        {
            continue;
        }
        if (shown.text.data == NULL) {
            pos_str_t text = pos_cart_text(cart, w->scratch);

            shown.text = text.data != NULL ? pos_arena_str(t->arena, text) : text;
            if (shown.text.data == NULL) {
                t->no_memory = true;
                return;
            }
        }
        pos_carts_put(&t->carts[k], &shown, &unused);
    }
}


static void
count_priced(pos_backtest_worker_t *w, pos_chunk_t *chunk, pos_cart_figures_t *cart)
{
    pos_tally_t               *t = &chunk->tally;
    const pos_basket_result_t *r = cart->result;
    pos_status_t               status = pos_cart_figure(w->books[POS_WITH], cart, w->scratch);

    if (status == POS_LIMIT) {
        count_refused(t, cart->order, "overflow", (pos_str_t) { NULL, 0 });
        return;
    }
    if (status != POS_OK) {
        t->no_memory = true;
        return;
    }
    t->priced++;
    t->touched += cart->touched;
    t->applied += r->applied;
    t->not_proved += !r->with.optimal || !r->without.optimal;
    count_groups(t, cart);
    count_conflicts(t, w, cart);
    count_failures(t, cart);
    if (cart->touched) {
        show(t, chunk, w, cart);
    }
}


/* The day by the clock of the order's store; false: none that was asked for. */
static bool
day_of(const pos_backtest_worker_t *w, const pos_past_t *o, char text[12])
{
    const pos_book_t  *book = w->books[POS_WITH];
    const pos_store_t *store = o->store.data != NULL ? pos_map_get(&book->stores, o->store) : NULL;
    pos_civil_t        civil;
    int64_t            local, day;

    pos_civil_of(store != NULL && store->zone != NULL ? store->zone : book->zone, o->at, &civil);
    local = o->at + (int64_t) civil.offset * 1000000;
    day = local / DAY_US - (local % DAY_US < 0);
    if (day < w->job->task.from_day || day > w->job->task.to_day) {
        return false;
    }
    text[0] = (char) ('0' + civil.year / 1000 % 10);
    text[1] = (char) ('0' + civil.year / 100 % 10);
    text[2] = (char) ('0' + civil.year / 10 % 10);
    text[3] = (char) ('0' + civil.year % 10);
    text[4] = text[7] = '-';
    text[5] = (char) ('0' + civil.month / 10);
    text[6] = (char) ('0' + civil.month % 10);
    text[8] = (char) ('0' + civil.day / 10);
    text[9] = (char) ('0' + civil.day % 10);
    text[10] = '\0';
    return true;
}


static bool
returns_goods(const pos_past_t *o)
{
    for (uint32_t i = 0; i < o->line_count; i++) {
        if (o->lines[i].quantity < 0) {
            return true;
        }
    }
    return o->line_count == 0;
}


static pos_str_t
said(pos_str_t text)
{
    return text.data != NULL ? text : pos_str("");
}


static void
price_order(pos_backtest_worker_t *w, pos_chunk_t *chunk, const pos_past_t *o, uint64_t seq)
{
    pos_basket_t        basket = { .currency = said(o->currency), .store = said(o->store), .channel = said(o->channel),
               .customer = said(o->customer), .session = o->session.len > 0 ? o->session : o->id, .at = o->at, .group_count = o->group_count,
               .coupon_count = o->coupon_count, .line_count = o->line_count, .groups = o->groups,
               .coupons = o->coupons, .lines = o->lines };
    pos_basket_result_t result;
    pos_cart_figures_t  cart = { .order = o, .result = &result, .seq = seq };
    pos_faults_t        faults;
    pos_status_t        status;

    if (!day_of(w, o, cart.day)) {
        return;
    }
    chunk->tally.read++;
    if (returns_goods(o)) {
        count_refused(&chunk->tally, o, o->line_count > 0 ? "return" : "no_lines", (pos_str_t) { NULL, 0 });
        return;
    }
    if (w->coupon) {
        o->coupons[basket.coupon_count++] = pos_str(POS_OVERLAY_COUPON);
    }
    pos_faults_init(&faults, w->scratch);
    status = pos_basket_price(&w->options, &basket, w->scratch, &faults, &result);
    if (status == POS_OK) {
        count_priced(w, chunk, &cart);
    } else if (status == POS_INVALID) {
        refused(&chunk->tally, o, &faults);
    } else {
        chunk->tally.no_memory |= status == POS_NO_MEMORY;
        if (status != POS_NO_MEMORY) {
            count_refused(&chunk->tally, o, "damaged", (pos_str_t) { NULL, 0 });
        }
    }
}


/* ---- chunks ---- */

/* All is decoded first, so that the two can be told apart in time. False: no order. */
static bool
price_chunk(pos_backtest_worker_t *w, pos_chunk_t *chunk, pos_arena_t *arena)
{
    pos_past_t  *orders;
    const char  *p = chunk->bytes;
    int64_t      begun = thread_ns(), decoded;
    pos_status_t status = POS_OK;

    pos_arena_reset(arena);
    orders = pos_arena_alloc(arena, ((size_t) chunk->count + 1) * sizeof(*orders));
    if (orders == NULL || !pos_tally_reset(&chunk->tally, w->job->task.sample)) {
        chunk->tally.no_memory = true;
        return true;
    }
    for (uint32_t i = 0; i < chunk->count && status == POS_OK; i++) {
        uint32_t len;

        memcpy(&len, p, sizeof(len));
        status = pos_past_decode(pos_str_of(p + sizeof(len), len), arena, &orders[i]);
        p += sizeof(len) + len;
    }
    decoded = thread_ns();
    for (uint32_t i = 0; i < chunk->count && status == POS_OK; i++) {
        pos_arena_reset(w->scratch);
        price_order(w, chunk, &orders[i], chunk->first + i);
    }
    chunk->tally.no_memory |= status == POS_NO_MEMORY;
    chunk->tally.read_ns = decoded - begun;
    chunk->tally.engine_ns = thread_ns() - decoded;
    return status != POS_BROKEN;
}


/* NULL: go home. */
static pos_chunk_t *
next_chunk(pos_backtest_t *job)
{
    pos_chunk_t *chunk = NULL;

    pthread_mutex_lock(&job->lock);
    while (!job->end && job->taken == job->read) {
        pthread_cond_wait(&job->to_work, &job->lock);
    }
    if (!job->end) {
        chunk = &job->chunks[job->taken++ % job->chunk_count];
    }
    pthread_mutex_unlock(&job->lock);
    return chunk;
}


static void
work(pos_backtest_worker_t *w, pos_arena_t *arena)
{
    pos_chunk_t *chunk;

    while ((chunk = next_chunk(w->job)) != NULL) {
        if (chunk->book != w->turn && !pos_books_open(w)) {
            return;
        }
        if (!price_chunk(w, chunk, arena)) {
            pos_books_fail(w, POS_BROKEN, "an order cannot be read");
            return;
        }
        pthread_mutex_lock(&w->job->lock);
        chunk->state = POS_CHUNK_PRICED;
        pthread_cond_broadcast(&w->job->to_merge);
        pthread_mutex_unlock(&w->job->lock);
    }
}


void *
pos_backtest_work(void *data)
{
    pos_backtest_worker_t *w = data;
    pos_arena_t           *arena = pos_arena_create(POS_WORK_BLOCK, 0);

    if (arena == NULL) {
        pos_books_fail(w, POS_NO_MEMORY, "no memory");
    } else if (pos_books_begin(w)) {
        work(w, arena);
    }
    pos_books_end(w);
    if (arena != NULL) {
        pos_arena_destroy(arena);
    }
    return NULL;
}
