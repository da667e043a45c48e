/*
 * posd's commands. Each returns the process's exit status.
 */

#ifndef POS_POSD_COMMANDS_H
#define POS_POSD_COMMANDS_H

typedef struct {
    const char *database;      /* libpq conninfo                             */
    const char *sql;           /* folder with migrations/ and api/           */
    const char *functions;     /* the manifest of api functions              */
    const char *replica;       /* folder                                     */
    const char *spool;         /* folder of uploaded bodies                  */
    const char *contract;      /* the bundled OpenAPI document               */
    const char *book;          /* a book document                            */
    const char *script_cpu;    /* ms of processor time a script's call has   */
    const char *instructions;  /* a script's call has; NULL: the default     */
    const char *workers;       /* of a back-test; NULL: one a processor      */
} pos_options_t;

/* Brings the database's schema to this program's version, in one transaction. */
int pos_command_migrate(const pos_options_t *options);
/* The daemon: the feed here, the rest in child processes. */
int pos_command_run(const pos_options_t *options);
/* A child: leases jobs and does them. */
int pos_command_jobs(const pos_options_t *options);
/* A child: leases back-tests and runs them. */
int pos_command_backtests(const pos_options_t *options);
/* A child: numbers events. */
int pos_command_events(const pos_options_t *options);
/* A child: suspends promotions whose script is in quarantine. */
int pos_command_suspend(const pos_options_t *options);
/* A child: gives back what checkouts reserved and let expire. */
int pos_command_sweep(const pos_options_t *options);
/* Compares the replica with the tables by content. */
int pos_command_check(const pos_options_t *options);
/* Makes a retailer and its twin of a book document; prints their keys. */
int pos_command_seed(const pos_options_t *options);

#endif
