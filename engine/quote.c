/* One quote from JSON to JSON: the steps in their order. */

#include "engine/quote_write.h"

static pos_status_t
too_large(pos_work_t *w)
{
    return pos_fault(w->faults, w->options->pointer, "overflow",
        "an amount of this cart is more than any amount may be");
}

static pos_status_t
note_promotions(const pos_quoted_t *q, pos_quote_stats_t *stats)
{
    const pos_plan_t      *plan = q->plan;
    const pos_state_t     *s = q->solution.state;
    pos_quote_promotion_t *all = pos_arena_array(q->w->arena, plan->looked_count, sizeof(*all));
    uint32_t               error = 0;

    if (all == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < plan->looked_count; i++) {
        const pos_looked_t *l = &plan->looked[i];
        bool                applied = l->candidate != POS_NIL && s->worked[l->candidate];
        bool                failed = error < plan->script_error_count && plan->script_errors[error] == i;

        error += failed;
        if (l->reachable) {
            all[stats->promotion_count++] = (pos_quote_promotion_t) { .promotion = l->number, .applied = applied,
                .failed = failed, .discount = applied ? s->saved[l->candidate] : 0, .script_ns = l->script_ns };
        }
    }
    stats->promotions = all;
    return POS_OK;
}

static pos_status_t
note_stats(pos_quoted_t *q, pos_quote_stats_t *stats)
{
    const pos_work_t *w = q->w;
    const pos_plan_t *plan = q->plan;
    pos_script_failure_t *failed;

    stats->lines = w->cart.line_count;
    stats->candidates = plan->candidate_count;
    stats->script_errors = plan->script_error_count;
    stats->optimal = q->solution.optimal;
    stats->nodes = q->solution.nodes;
    stats->work = q->solution.work;
    stats->total = q->totals.total;
    stats->compare_differs = w->cart.has_compare && w->cart.compare_total != q->totals.total;
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        stats->applied += q->solution.state->worked[k];
    }
    memcpy(stats->currency, w->cart.currency.data,
        w->cart.currency.len < sizeof(stats->currency) ? w->cart.currency.len : sizeof(stats->currency) - 1);
    /* What would be at another time is nobody's purchase. */
    if (w->options->tally && !w->cart.simulated && plan->looked_count > 0 && note_promotions(q, stats) != POS_OK) {
        return POS_NO_MEMORY;
    }
    if (plan->script_error_count == 0) {
        return POS_OK;
    }
    failed = pos_arena_array(w->arena, plan->script_error_count, sizeof(*failed));
    if (failed == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < plan->script_error_count; i++) {
        const pos_looked_t *l = &plan->looked[plan->script_errors[i]];

        failed[i] = (pos_script_failure_t) { l->promotion->id, l->detail,
            w->cart.trial ? 0 : pos_script_failures(l->promotion->script), pos_script_source(l->promotion->script) };
    }
    stats->failures = failed;
    stats->failure_count = plan->script_error_count;
    return POS_OK;
}

static pos_status_t
calculate(pos_quoted_t *q)
{
    pos_line_result_t *lines = NULL;
    pos_status_t       status = pos_plan_make(q->w, q->plan);

    if (status == POS_OK) {
        status = pos_choose(q->plan, POS_NIL, pos_choose_steps(q->plan), &q->solution);
    }
    if (status == POS_OK) {
        status = pos_totals(q->solution.state, &q->totals);
    }
    if (status == POS_OK) {
        status = pos_lines_split(q->solution.state, &q->totals, &lines, &q->line_count);
    }
    q->lines = lines;
    return status == POS_LIMIT ? too_large(q->w) : status;
}

static void
work_init(pos_work_t *w, const pos_quote_options_t *options, pos_arena_t *arena, pos_faults_t *faults)
{
    memset(w, 0, sizeof(*w));
    w->options = options;
    w->book = options->book;
    w->arena = arena;
    w->faults = faults;
    w->tax_included = options->book->list_count && options->book->list_array[0].tax_included;
}

pos_status_t
pos_quote(const pos_quote_options_t *options, const pos_json_t *request, pos_arena_t *arena,
    pos_faults_t *faults, pos_writer_t *out, pos_quote_stats_t *stats)
{
    pos_work_t        w;
    pos_plan_t        plan;
    pos_quoted_t      q = { .w = &w, .plan = &plan };
    pos_quote_stats_t unused;
    pos_status_t      status;

    stats = stats ? stats : &unused;
    memset(stats, 0, sizeof(*stats));
    work_init(&w, options, arena, faults);
    status = pos_request_read(&w, request);
    if (options->spent) {
        pos_json_recycle(request, arena);
    }
    if (status == POS_OK) {
        status = pos_items_make(&w);
    } else if (status == POS_INVALID && w.invalid) {
        status = pos_items_name_faults(&w);
    }
    stats->forbidden = w.forbidden && !w.invalid;
    if (status == POS_OK) {
        status = calculate(&q);
    }
    if (status == POS_OK) {
        status = note_stats(&q, stats);
    }
    if (status == POS_OK) {
        status = pos_quote_write(&q, out);
        stats->explain_work = q.explain_work;
    }
    return status == POS_INVALID && faults->lost ? POS_NO_MEMORY : status;
}
