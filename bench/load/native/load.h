/* What both load generators share: arguments, the clock, the ledger of calls, and the report.
 *
 * A call's time counts from the moment at which it was due. In a closed loop that is when it is sent; in an open loop
 * (rate > 0) it is the schedule's, so a stall is paid by every call that was due meanwhile (coordinated omission).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_NS 30000000000LL
#define CHUNK 262144

typedef long long ns;

static int argument_count;
static char **arguments;

/* The plan of a stint: `calls` > 0 ends it after so many, else `seconds` do. */
static long depth, limit, first_id;
static double rate;
static ns began, until;
static const char *prefix, *suffix, *expected;
static size_t at_least;

/* By id - first_id: when a call was due, then how long it took. */
static ns *taken;
static unsigned char *answered;
static long sent, done, room;
static ns latest;

static void broken(const char *form, ...) {
    va_list values;
    va_start(values, form);
    vfprintf(stderr, form, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static ns now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The argument name=VALUE. */
static const char *option(const char *name, const char *otherwise) {
    size_t length = strlen(name);
    for (int i = 1; i < argument_count; i++)
        if (!strncmp(arguments[i], name, length) && arguments[i][length] == '=') return arguments[i] + length + 1;
    return otherwise;
}

static void plan(int count, char **values) {
    argument_count = count, arguments = values;
    /* A closed pipe is told by write(), in words. */
    signal(SIGPIPE, SIG_IGN);
    depth = atol(option("depth", "1"));
    limit = atol(option("calls", "0"));
    rate = atof(option("rate", "0"));
    first_id = atol(option("first_id", "1"));
    prefix = option("prefix", "");
    suffix = option("suffix", "");
    expected = option("expected", "");
    at_least = (size_t)atol(option("at_least", "0"));
}

static void begin(void) {
    began = now();
    until = began + (ns)(atof(option("seconds", "3600")) * 1e9);
}

/* When the next call is due: by the schedule of an open loop, else at once. */
static ns due(ns at) { return rate > 0 ? began + (ns)(sent * 1e9 / rate) : at; }

/* Whether all that was to be sent is sent. What was due before the end of an open loop is sent, however late. */
static int is_over(ns at) { return limit ? sent >= limit : due(at) >= until; }

/* Whether another call is to be sent at this moment. */
static int is_due(ns at) { return !is_over(at) && sent - done < depth && due(at) <= at; }

/* How long to wait for input: until the next call is due, at most until an answer is too late. */
static struct timespec patience(ns at) {
    ns wait = ANSWER_NS;
    if (rate > 0 && !is_over(at) && sent - done < depth) {
        wait = due(at) - at;
        if (wait < 0) wait = 0;
    } else if (!limit && sent == done && until > at) wait = until - at;
    return (struct timespec){wait / 1000000000LL, wait % 1000000000LL};
}

/* Notes a call that is about to be sent; its id. */
static long next_call(ns at) {
    if (sent == room) {
        room = room ? room * 2 : 4096;
        taken = realloc(taken, (size_t)room * sizeof *taken);
        answered = realloc(answered, (size_t)room);
        if (!taken || !answered) broken("no memory");
    }
    taken[sent] = due(at);
    answered[sent] = 0;
    if (at - taken[sent] > latest) latest = at - taken[sent];
    return first_id + sent++;
}

static void settle(long id, ns at) {
    long index = id - first_id;
    if (index < 0 || index >= sent || answered[index]) broken("an answer to no call of this stint: id %ld", id);
    answered[index] = 1;
    taken[index] = at - taken[index];
    done++;
}

/* The id of a message; -1 where it has none. */
static long id_in(const char *message, size_t length) {
    const char *at = memmem(message, length, "\"id\":", 5), *end = message + length;
    long id = 0;
    if (!at) return -1;
    for (at += 5; at < end && *at == ' '; at++);
    if (at == end || *at < '0' || *at > '9') return -1;
    for (; at < end && *at >= '0' && *at <= '9'; at++) id = id * 10 + (*at - '0');
    return id;
}

/* Whether a message answers a call; ends the program where it answers with something else than it should. */
static int is_answer(const char *message, size_t length) {
    if (length >= at_least && memmem(message, length, expected, strlen(expected))) return 1;
    if (memmem(message, length, "\"method\"", 8)) return 0;
    broken("a call was answered with %.*s", (int)(length < 300 ? length : 300), message);
    return 0;
}

static int by_size(const void *a, const void *b) {
    ns x = *(const ns *)a, y = *(const ns *)b;
    return (x > y) - (x < y);
}

/* Nearest rank, as bench.stats has it. */
static double rank(double share) {
    long at = (long)(share * done);
    if (at < share * done) at++;
    return taken[at > 0 ? at - 1 : 0] / 1e3;
}

static void report(const char *name, long extra) {
    struct rusage used;
    double seconds = (now() - began) / 1e9;
    double first = done ? taken[0] / 1e3 : 0;
    if (done != sent || !done) broken("%ld of %ld calls were answered", done, sent);
    qsort(taken, (size_t)done, sizeof *taken, by_size);
    getrusage(RUSAGE_SELF, &used);
    printf("{\"calls\":%ld,\"seconds\":%.6f,\"first_us\":%.3f,\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,"
           "\"max_us\":%.3f,\"late_us\":%.3f,\"cpu_s\":%.6f,\"%s\":%ld}\n",
           done, seconds, first, rank(0.5), rank(0.9), rank(0.99), rank(1.0), latest / 1e3,
           used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6, name, extra);
}

static void send_all(int to, const char *content, size_t length) {
    while (length) {
        ssize_t put = write(to, content, length);
        if (put < 0 && errno == EAGAIN) {
            struct pollfd ready = {to, POLLOUT, 0};
            if (poll(&ready, 1, ANSWER_NS / 1000000) <= 0) broken("nobody reads what is sent");
            continue;
        }
        if (put < 0) broken("cannot send: %s", strerror(errno));
        content += put, length -= (size_t)put;
    }
}

/* Bytes that are kept until they are complete. */
struct buffer { char *at; size_t used, room; };

static char *space(struct buffer *b, size_t length) {
    while (b->room - b->used < length + 1) {
        b->room = b->room ? b->room * 2 : CHUNK * 2;
        if (!(b->at = realloc(b->at, b->room))) broken("no memory");
    }
    return b->at + b->used;
}

static void append(struct buffer *b, const char *content, size_t length) {
    memcpy(space(b, length), content, length);
    b->used += length;
}

/* Reads once; the number of bytes. Nothing to read is 0, the end is the end of the program. */
static size_t fill(struct buffer *b, int from) {
    ssize_t got = read(from, space(b, CHUNK), CHUNK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (got <= 0) broken("who is measured has closed the connection");
    b->used += (size_t)got;
    return (size_t)got;
}

static void drop(struct buffer *b, size_t length) {
    b->used -= length;
    memmove(b->at, b->at + length, b->used);
}
