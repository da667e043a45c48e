/* What the files of poscalc share. */

#ifndef POS_CALC_H
#define POS_CALC_H

#include "engine/book.h"
#include "engine/quote.h"
#include "engine/script.h"

typedef struct {
    const char *book, *order_book;
    const char *zone_dir;
    bool        explain, check, table, batch, for_order, returns, stats;
    uint64_t    budget;           /* the solver's steps; 0: POS_CALC_STEPS   */
    long        bench;            /* rounds; 0: none                         */
    int64_t     now;              /* µs                                      */
} pos_calc_options_t;

typedef struct pos_calc_s {
    pos_calc_options_t  options;
    struct pos_calc_s  *order;    /* of --order-book, or the same book      */
    pos_arena_t        *arena;    /* as long as the program                  */
    pos_arena_t        *quote;    /* one answer                              */
    pos_json_reader_t  *reader;
    pos_memory_book_t  *memory;
    pos_book_source_t   source;
    pos_script_vm_t    *vm;
    pos_book_t         *book;
    pos_quote_stats_t   stats;    /* of the last answer                      */
} pos_calc_t;

#define POS_CALC_STEPS  1500000    /* some 20 ms */

/* ---- poscalc.c ---- */

void pos_calc_die(int code, const char *what, const char *detail) __attribute__((noreturn));
/* The book of a document's text; one at fault ends the program. */
void pos_calc_load(pos_calc_t *calc, pos_str_t text);
void pos_calc_unload(pos_calc_t *calc);
/* One request's text to one answer in the quote's arena. */
pos_str_t pos_calc_answer(pos_calc_t *calc, pos_str_t text, bool *is_quote);
/* The next line of standard input that is not blank; false: there is none. */
bool pos_calc_next_line(char **data, size_t *room, pos_str_t *line);

/* ---- poscalc_options.c ---- */

/* Wrong use ends the program with code 2, --help with 0. */
pos_calc_options_t pos_calc_options(int argc, char **argv);

/* ---- poscalc_check.c ---- */

/* What the loaded book is called, and what its author may not have meant. `text` is
 * that book's document. */
void pos_calc_check(pos_calc_t *calc, pos_str_t text);

/* ---- poscalc_bench.c ---- */

/* All requests N times over, JSON to JSON, after a tenth to warm up. */
void pos_calc_bench(pos_calc_t *calc);
/* What the solver did, a line a request: the second time, when all is warm. */
void pos_calc_stats(pos_calc_t *calc);
/* By lines, live promotions and those of them that apply, on one core, in Markdown. */
void pos_calc_bench_table(pos_calc_t *calc);

#endif
