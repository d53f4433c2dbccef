/* libpq: four threads, each with a connection of its own, and one more that listens.
   Which calls block, and which settings bound them: libpq-connect.html, libpq-async.html, libpq-cancel.html
   and libpq-notify.html in https://www.postgresql.org/docs/15/. */
#include "adapter.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INSERT "INSERT INTO pgsquall_ledger (id) VALUES ($1)"
#define SELECT "SELECT 1 FROM pgsquall_ledger WHERE id = $1"

enum { LISTEN_PAUSE = 1 }; /* seconds between attempts to listen again; libpq's manual names none */

static const char *parameters[][2] = {
    {"dbname", NULL},                       /* DATABASE_URL; the rest is for tuned only */
    {"connect_timeout", "5"},               /* seconds, for each host */
    {"keepalives_idle", "2"},               /* seconds of silence before the first probe */
    {"keepalives_interval", "1"},           /* seconds */
    {"keepalives_count", "3"},              /* probes */
    {"tcp_user_timeout", "5000"},           /* ms that sent bytes may stay unacknowledged */
    {"target_session_attrs", "read-write"}, /* after a failover: never a standby */
    {"options", "-c statement_timeout=5s"}, /* the server's timer: nothing of libpq's bounds a query */
};
enum { PARAMETERS = sizeof parameters / sizeof *parameters };
static const char *words[PARAMETERS + 1], *values[PARAMETERS + 1];
static bool tuned;

/* Whether the socket became ready before the deadline. */
static bool ready(PGconn *conn, short events, double deadline) {
    struct pollfd socket = {.fd = PQsocket(conn), .events = events};
    for (;;) {
        double left = deadline ? deadline - now_ms() : -1;
        if (deadline && left <= 0)
            return false;
        int count = poll(&socket, 1, deadline ? (int)left + 1 : -1);
        if (count > 0 || (count < 0 && errno != EINTR))
            return true;
    }
}

/* The library's own error; without a result, that of the connection. */
static void describe(PGconn *conn, PGresult *result, struct answer *answer) {
    static const char *const kinds[][2] = {
        {"Connection refused", "refused"}, {"reset by peer", "reset"}, {"closed", "closed"},
        {"timeout expired", "timeout"},    {"timed out", "timeout"},
    };
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = result ? PQresultErrorMessage(result) : PQerrorMessage(conn);
    snprintf(answer->message, sizeof answer->message, "%s", *message ? message : PQerrorMessage(conn));
    if (sqlstate)
        snprintf(answer->sqlstate, sizeof answer->sqlstate, "%s", sqlstate);
    for (size_t i = 0; !sqlstate && !answer->kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strstr(answer->message, kinds[i][0]))
            answer->kind = kinds[i][1];
}

/* A connect within the application's deadline; the manual says that connect_timeout has no effect here. */
static bool finish_by(PGconn *conn, double deadline, PostgresPollingStatusType (*step)(PGconn *)) {
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next == PGRES_POLLING_WRITING || next == PGRES_POLLING_READING) {
        if (!ready(conn, next == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, deadline))
            return false;
        next = step(conn);
    }
    return true;
}

/* A connection with a good PQstatus; opened (again) if needed. */
static bool open_connection(PGconn **conn, double deadline, struct answer *answer) {
    if (PQstatus(*conn) == CONNECTION_OK)
        return true;
    if (tuned) { /* anew: PQreset keeps the password that was looked up for the first connection */
        PQfinish(*conn);
        *conn = NULL;
    }
    bool in_time = true;
    if (*conn && deadline)
        in_time = !PQresetStart(*conn) || finish_by(*conn, deadline, PQresetPoll);
    else if (*conn)
        PQreset(*conn);
    else if (deadline)
        in_time = (*conn = PQconnectStartParams(words, values, 1)) && PQstatus(*conn) != CONNECTION_BAD
                      ? finish_by(*conn, deadline, PQconnectPoll)
                      : true;
    else
        *conn = PQconnectdbParams(words, values, 1);
    if (in_time && PQstatus(*conn) == CONNECTION_OK)
        return true;
    describe(*conn, NULL, answer);
    if (!in_time) {
        answer->kind = "deadline";
        PQfinish(*conn); /* half made */
        *conn = NULL;
    }
    return false;
}

/* Sends a statement and waits; after the deadline, asks the server to cancel it and waits on. */
static PGresult *execute_by(PGconn *conn, const char *sql, int count, const char *const *keys,
                            double deadline, bool *late) {
    PGresult *result = NULL, *next;
    if (!PQsendQueryParams(conn, sql, count, NULL, keys, NULL, NULL, 0))
        return NULL;
    while (!*late && PQisBusy(conn)) {
        *late = !ready(conn, POLLIN, deadline);
        if (!*late && !PQconsumeInput(conn))
            break;
    }
    if (*late) {
        char why[256]; /* the size that the manual recommends; if the cancel fails, wait for the statement */
        PGcancel *cancel = PQgetCancel(conn);
        PQcancel(cancel, why, sizeof why);
        PQfreeCancel(cancel);
    }
    while ((next = PQgetResult(conn))) {
        PQclear(result);
        result = next;
    }
    return result;
}

/* One statement, of which $1 is the key; whether it succeeded. */
static bool run(PGconn *conn, const char *sql, const struct request *request, struct answer *answer) {
    char key[24];
    snprintf(key, sizeof key, "%lld", request->key);
    const char *keys[] = {key};
    int count = strstr(sql, "$1") ? 1 : 0;
    bool late = false;
    PGresult *result = request->deadline ? execute_by(conn, sql, count, keys, request->deadline, &late)
                                         : PQexecParams(conn, sql, count, NULL, keys, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    answer->ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    answer->found = PQntuples(result) > 0;
    if (!answer->ok) {
        describe(conn, result, answer);
        if (late)
            answer->kind = "deadline";
    }
    PQclear(result);
    return answer->ok;
}

static void perform(void **connection, const struct request *request, struct answer *answer) {
    PGconn **conn = (PGconn **)connection;
    if (!open_connection(conn, request->deadline, answer))
        return;
    if (request->op != TRANSACTION) {
        run(*conn, request->op == READ ? SELECT : INSERT, request, answer);
        return;
    }
    bool done = run(*conn, "BEGIN", request, answer) && run(*conn, "SELECT 1", request, answer) &&
                run(*conn, INSERT, request, answer) && run(*conn, "COMMIT", request, answer);
    if (!done && PQstatus(*conn) == CONNECTION_OK)
        PQclear(PQexec(*conn, "ROLLBACK"));
}

/* As the manual's testlibpq2.c: wait on the socket, PQconsumeInput, PQnotifies until there are no more. */
static void hear(PGconn *conn) {
    PGnotify *notification;
    while (PQconsumeInput(conn)) {
        while ((notification = PQnotifies(conn))) {
            say_notification(notification->extra);
            PQfreemem(notification);
        }
        ready(conn, POLLIN, 0);
    }
}

static void listen_for_good(void) {
    PGconn *conn = NULL;
    struct answer unused;
    for (bool before = false;; sleep(LISTEN_PAUSE)) {
        if (open_connection(&conn, 0, &unused)) {
            PGresult *result = PQexec(conn, "LISTEN pgsquall_news");
            bool listens = PQresultStatus(result) == PGRES_COMMAND_OK;
            PQclear(result);
            if (listens) {
                before ? say_gap() : say_listening();
                before = true;
                hear(conn);
            }
        }
        fprintf(stderr, "not listening: %s", PQerrorMessage(conn));
    }
}

static void close_connection(void *conn) { PQfinish(conn); }

int main(int count, char **arguments) {
    char version[16];
    tuned = count > 1 && !strcmp(arguments[count - 1], "tuned");
    parameters[0][1] = getenv("DATABASE_URL");
    for (int i = 0; i < (tuned ? PARAMETERS : 1); i++)
        words[i] = parameters[i][0], values[i] = parameters[i][1];
    snprintf(version, sizeof version, "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
    return serve(&(struct client){
        .name = "libpq",
        .version = version,
        .capabilities = (const char *const[]){"transaction", "listen", "deadline", "multi_host", "tls", NULL},
        .perform = perform,
        .close = close_connection,
        .listen = listen_for_good,
    });
}
