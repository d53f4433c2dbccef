/* The adapter protocol for C: JSON lines on stdin and stdout, four workers, independent of any library. */
#pragma once

#include <stdbool.h>

enum op { WRITE, READ, TRANSACTION };

struct request {
    double id;
    enum op op;
    long long key;
    double deadline; /* ms on the clock of now_ms(), 0 = none */
};

struct answer {
    bool ok, found;
    char message[1000], sqlstate[6];
    const char *kind; /* NULL where nothing is known, or the sqlstate says it */
};

struct client {
    const char *name, *version;
    const char *const *capabilities; /* ends with NULL */
    int timeout_ms;                  /* the longest that one operation can take, 0 = not bounded */
    /* Carries out one operation; *connection is the worker's own, NULL at first. */
    void (*perform)(void **connection, const struct request *, struct answer *);
    void (*close)(void *connection);
    void (*listen)(void); /* runs for good, on a thread of its own */
};

int serve(const struct client *);
double now_ms(void);
void say_listening(void);
void say_gap(void);
void say_notification(const char *payload);
