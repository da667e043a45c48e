/*
 * posd: the process behind nginx. It migrates the database, follows it into
 * the replica, and does the long work that no request may wait for.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posd/commands.h"
#include "posd/pg.h"

static const char usage[] =
    "usage: posd COMMAND [OPTION]...\n"
    "  migrate --database CONNINFO --sql DIR --functions FILE\n"
    "  run     --database CONNINFO --replica DIR --spool DIR [--contract FILE]\n"
    "          [--script-cpu-time MS] [--script-instructions N] [--workers N]\n"
    "  jobs    --database CONNINFO --spool DIR [--contract FILE]\n"
    "          [--replica DIR] [--script-cpu-time MS] [--script-instructions N]\n"
    "  backtests --database CONNINFO --replica DIR [--workers N]\n"
    "          [--script-cpu-time MS] [--script-instructions N]\n"
    "  events  --database CONNINFO\n"
    "  suspend --database CONNINFO --replica DIR\n"
    "  sweep   --database CONNINFO\n"
    "  check   --database CONNINFO --replica DIR\n"
    "  seed    --database CONNINFO --book FILE [--contract FILE]\n"
    "          [--replica DIR] [--script-cpu-time MS] [--script-instructions N]\n";

static const struct {
    const char *name;
    int       (*run)(const pos_options_t *);
    const char *needs;     /* letters of options */
} commands[] = {
    { "migrate", pos_command_migrate, "dsf" },
    { "run",     pos_command_run,     "drp" },
    { "jobs",    pos_command_jobs,    "dp" },
    { "backtests", pos_command_backtests, "dr" },
    { "events",  pos_command_events,  "d" },
    { "suspend", pos_command_suspend, "dr" },
    { "sweep",   pos_command_sweep,   "d" },
    { "check",   pos_command_check,   "dr" },
    { "seed",    pos_command_seed,    "db" }
};

static const struct option long_options[] = {
    { "database",  required_argument, NULL, 'd' },
    { "sql",       required_argument, NULL, 's' },
    { "functions", required_argument, NULL, 'f' },
    { "replica",   required_argument, NULL, 'r' },
    { "spool",     required_argument, NULL, 'p' },
    { "contract",  required_argument, NULL, 'c' },
    { "book",      required_argument, NULL, 'b' },
    { "script-cpu-time", required_argument, NULL, 'u' },
    { "script-instructions", required_argument, NULL, 'i' },
    { "workers",   required_argument, NULL, 'w' },
    { "help",      no_argument,       NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


static void
on_stop(int signal)
{
    (void) signal;
    pos_stop = 1;
}


static void
signals(void)
{
    struct sigaction stop = { .sa_handler = on_stop };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    /* a file over its limit is a write that fails, like a full disk */
    sigaction(SIGXFSZ, &ignore, NULL);
}


static const char **
option_place(pos_options_t *o, int letter)
{
    switch (letter) {
    case 'd': return &o->database;
    case 's': return &o->sql;
    case 'f': return &o->functions;
    case 'r': return &o->replica;
    case 'p': return &o->spool;
    case 'c': return &o->contract;
    case 'b': return &o->book;
    case 'u': return &o->script_cpu;
    case 'i': return &o->instructions;
    case 'w': return &o->workers;
    default:  return NULL;
    }
}


/* The contract is installed beside the program. */
static const char *
contract_beside(void)
{
    static char path[512];
    char       *slash;
    ssize_t     n = readlink("/proc/self/exe", path, sizeof(path) - 20);

    if (n <= 0) {
        return "build/openapi.json";
    }

    path[n] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL) {
        return "build/openapi.json";
    }

    memcpy(slash, "/openapi.json", sizeof("/openapi.json"));
    return path;
}


static bool
options_read(int argc, char **argv, const char *needs, pos_options_t *o)
{
    const char **place;
    int          letter;

    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        place = option_place(o, letter);
        if (place == NULL) {
            return false;
        }
        *place = optarg;
    }

    for (; *needs; needs++) {
        if (*option_place(o, *needs) == NULL) {
            fprintf(stderr, "posd: an option is missing\n");
            return false;
        }
    }

    if (o->script_cpu == NULL) {
        o->script_cpu = "1000";
    }
    if (o->contract == NULL) {
        o->contract = contract_beside();
    }

    return optind == argc;
}


int
main(int argc, char **argv)
{
    pos_options_t options = { 0 };
    size_t        i;

    setvbuf(stderr, NULL, _IOLBF, 0);
    for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            if (!options_read(argc - 1, argv + 1, commands[i].needs, &options)) {
                break;
            }
            signals();
            return commands[i].run(&options);
        }
    }

    fputs(usage, stderr);
    return 64;
}
