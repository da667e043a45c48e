/*
 * Lua promotions: the sandbox's door.
 *
 * One VM a worker (or thread), made for promotions alone, JIT off. Limits are
 * counted in instructions and bytes, never in time, so that a quote replays.
 */

#ifndef POS_SCRIPT_H
#define POS_SCRIPT_H

#include "engine/cart.h"
#include "engine/quarantine.h"

typedef struct {
    uint32_t instructions;     /* a call; default 100,000                   */
    size_t   call_memory;      /* bytes allocated since its start; 1 MiB    */
    size_t   load_memory;      /* of all scripts of the VM; 16 MiB a retailer */
    uint32_t proposals;        /* a call; 1,000                             */
    size_t   source;           /* bytes; 64 KiB                             */
} pos_script_limits_t;

/* What an installation may set it to. */
#define POS_SCRIPT_INSTRUCTIONS_LEAST  1000
#define POS_SCRIPT_INSTRUCTIONS_MOST   100000000

void pos_script_limits_default(pos_script_limits_t *limits);
pos_status_t pos_script_vm_create(const pos_script_limits_t *limits,
    pos_script_vm_t **out) POS_MUSTCHECK;
void pos_script_vm_destroy(pos_script_vm_t *vm);

/* Runs a source in the sandbox and takes what it returns: one promotion or a
 * list of them, each as its JSON document (functions left out) with a handle
 * to its functions (NULL: it has none). Faults carry line and column. `settings`
 * are values set by the merchandiser over the script's declared parameters
 * (NULL: defaults). `cases` (JSON text of the file's own examples, empty when it
 * has none) serve the tests and validate. */
typedef struct {
    pos_str_t     id;
    pos_str_t     document;    /* JSON text: `effects` renamed to `then`    */
    pos_str_t     cases;       /* JSON array text, or empty                 */
    pos_str_t     settings;    /* JSON object text: declared parameters, each
                                  with its `value` now; empty: none          */
    pos_script_t *script;      /* one reference                             */
} pos_script_promotion_t;

pos_status_t pos_script_load(pos_script_vm_t *vm, pos_str_t source,
    pos_str_t name, const pos_json_t *settings, pos_str_t base,
    pos_arena_t *arena, pos_faults_t *faults, pos_script_promotion_t **out,
    uint32_t *count) POS_MUSTCHECK;
void pos_script_release(pos_script_t *script);
/* Gives the faults from `fault` on, found in what a source returned, the line and
 * column of the field that their pointer names, less `base`. Where that cannot be
 * told from the text they stay without, as do the fields of `over` (NULL: none), the
 * document that lies over the source. */
void pos_script_locate(pos_str_t source, pos_str_t base, const pos_json_t *over,
    pos_fault_t *fault);

/* ---- the second fence ----
 *
 * The limits above are looked at between instructions, so what one instruction
 * or one function of ours does is behind them. A process that must not stand
 * still lets a timer of its own look whether one call goes on and on, notes its
 * source where its successor finds it, and ends: nothing milder is safe in the
 * middle of C. A source so noted is neither loaded nor called again.
 *
 * Whose script runs now, or is loaded: the promotion's id (the name given to
 * pos_script_load), empty when none does; and its source's SHA-256, NULL when
 * none does. Both may be read from a signal handler on the VM's thread. */
pos_str_t pos_script_running(const pos_script_vm_t *vm);
const uint8_t *pos_script_running_source(const pos_script_vm_t *vm);

typedef struct {
    uint32_t call;      /* that the tick before found running; 0: none      */
    uint32_t ticks;     /* that have found it so                            */
} pos_script_watch_t;

/* A tick, from a signal handler on the VM's thread. True: the call that runs
 * has run through `periods` whole periods between ticks. */
bool pos_script_watch(pos_script_watch_t *watch, const pos_script_vm_t *vm,
    uint32_t periods);

/* Must outlive the VM; another process may add to it at any time. */
void pos_script_vm_quarantine(pos_script_vm_t *vm, const pos_quarantine_t *quarantine);

/* Counts up with each call of a script; the limit that the last one hit, or NULL. */
uint32_t pos_script_calls(const pos_script_vm_t *vm);
const char *pos_script_limit_hit(const pos_script_vm_t *vm);
/* Filters that the script's calls have used so far; how many were written. They
 * live as long as the script. */
uint32_t pos_script_filters(const pos_script_t *script, const pos_filter_t **out,
    uint32_t most);
/* Its calls that failed since one last did not; 0 also when it is not called any more, being in
 * quarantine, and when what failed was a limit on a cart of over 100 lines, which does not count.
 * And its source's SHA-256. */
uint32_t pos_script_failures(const pos_script_t *script);
const uint8_t *pos_script_source(const pos_script_t *script);
/* Bytes the VM holds, for /metrics. */
size_t pos_script_vm_held(const pos_script_vm_t *vm);

/* What a call proposed. `effects` are of the promotion's class, their filters
 * carrying selections; all in the cart's arena. */
typedef struct {
    bool          eligible;        /* false: eligible(cart) said no          */
    uint32_t      effect_count;
    pos_effect_t *effects;
    pos_str_t     explain_reason;  /* cart:explain(…); empty: none           */
    pos_str_t     explain_missing; /* JSON object; empty: none               */
    bool          failed;          /* a limit or an error: skip it this time */
    const char   *failure;         /* instructions, memory, proposals, error */
    pos_str_t     failure_text;    /* bounded, "line 12: …"                  */
} pos_script_result_t;

/* Calls eligible (if any) and apply (if any) of one script over a cart whose
 * items stand at unit prices. Never fails but for memory of our own: whatever
 * the script does is in the result. */
pos_status_t pos_script_apply(pos_script_vm_t *vm, pos_script_t *script,
    const pos_promotion_t *promotion, const pos_cart_t *cart,
    pos_script_result_t *out) POS_MUSTCHECK;

#endif
