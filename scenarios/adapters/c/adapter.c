/* See adapter.h; JSON by cJSON. A line that is not a request is a bug of the harness: it ends the process. */
#define _GNU_SOURCE
#include "adapter.h"

#include <cjson/cJSON.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORKERS = 4, QUEUE = 1024, LAST_WORDS_MS = 1500 };

static const struct client *client;
static struct request queue[QUEUE]; /* far more than the harness has in flight */
static unsigned put, taken;
static bool ended;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER, stdout_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void say(cJSON *line) {
    char *text = cJSON_PrintUnformatted(line);
    pthread_mutex_lock(&stdout_lock);
    puts(text);
    fflush(stdout);
    pthread_mutex_unlock(&stdout_lock);
    free(text);
    cJSON_Delete(line);
}

static void say_hello(void) {
    cJSON *line = cJSON_CreateObject(), *hello = cJSON_AddObjectToObject(line, "hello");
    cJSON_AddStringToObject(hello, "name", client->name);
    cJSON_AddStringToObject(hello, "version", client->version);
    cJSON_AddNumberToObject(hello, "concurrency", WORKERS);
    cJSON *capabilities = cJSON_AddArrayToObject(hello, "capabilities");
    for (const char *const *word = client->capabilities; *word; word++)
        cJSON_AddItemToArray(capabilities, cJSON_CreateString(*word));
    if (client->timeout_ms)
        cJSON_AddNumberToObject(hello, "timeout_ms", client->timeout_ms);
    say(line);
}

static void say_answer(const struct request *request, const struct answer *answer) {
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "id", request->id);
    if (answer->ok) {
        cJSON_AddTrueToObject(line, "ok");
        if (request->op == READ)
            cJSON_AddBoolToObject(line, "found", answer->found);
    } else {
        cJSON *error = cJSON_AddObjectToObject(line, "error");
        cJSON_AddStringToObject(error, "message", answer->message);
        if (answer->sqlstate[0])
            cJSON_AddStringToObject(error, "sqlstate", answer->sqlstate);
        if (answer->kind)
            cJSON_AddStringToObject(error, "kind", answer->kind);
    }
    say(line);
}

void say_listening(void) {
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "id", 0);
    cJSON_AddTrueToObject(line, "ok");
    say(line);
}

void say_gap(void) {
    cJSON *line = cJSON_CreateObject();
    cJSON_AddTrueToObject(line, "gap");
    say(line);
}

void say_notification(const char *payload) {
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(cJSON_AddObjectToObject(line, "notification"), "payload", payload);
    say(line);
}

static bool take(struct request *request) {
    pthread_mutex_lock(&queue_lock);
    while (put == taken && !ended)
        pthread_cond_wait(&changed, &queue_lock);
    bool any = put != taken;
    if (any)
        *request = queue[taken++ % QUEUE];
    pthread_mutex_unlock(&queue_lock);
    return any;
}

static void *work(void *unused) {
    (void)unused;
    void *connection = NULL;
    struct request request;
    while (take(&request)) {
        struct answer answer = {0};
        client->perform(&connection, &request, &answer);
        say_answer(&request, &answer);
    }
    client->close(connection);
    return NULL;
}

static void *listen_for_good(void *unused) {
    (void)unused;
    client->listen();
    return NULL;
}

static pthread_t start(void *(*body)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL))
        errx(1, "cannot start a thread");
    return thread;
}

static void hand_on(const char *text) {
    cJSON *line = cJSON_Parse(text);
    const char *op = cJSON_GetStringValue(cJSON_GetObjectItem(line, "op"));
    const cJSON *key = cJSON_GetObjectItem(line, "key"), *deadline = cJSON_GetObjectItem(line, "deadline_ms");
    struct request request = {.id = cJSON_GetNumberValue(cJSON_GetObjectItem(line, "id"))};
    if (!op)
        errx(1, "stdin holds what is no request: %s", text);
    if (!strcmp(op, "listen")) {
        start(listen_for_good);
    } else {
        request.op = !strcmp(op, "write") ? WRITE : !strcmp(op, "read") ? READ : TRANSACTION;
        request.key = (long long)cJSON_GetNumberValue(key);
        request.deadline = deadline ? now_ms() + cJSON_GetNumberValue(deadline) : 0;
        pthread_mutex_lock(&queue_lock);
        queue[put++ % QUEUE] = request;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&queue_lock);
    }
    cJSON_Delete(line);
}

int serve(const struct client *served) {
    client = served;
    say_hello();
    pthread_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start(work);
    char *text = NULL;
    size_t size = 0;
    while (getline(&text, &size, stdin) > 0)
        hand_on(text);
    free(text);
    pthread_mutex_lock(&queue_lock);
    ended = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&queue_lock);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LAST_WORDS_MS / 1000;
    for (int i = 0; i < WORKERS; i++)
        pthread_timedjoin_np(workers[i], NULL, &until); /* a hung worker ends with the process */
    return 0;
}
