/* Calls over HTTP/1.1: keep-alive connections, each with one request at a time and a head of its own (so each may have a
 * session of its own). With stream=FD, answers come as events on that open stream, and responses only accept a call.
 *
 * On stdin, for each connection: its descriptor, the length of its head, newline, the head (without length and end).
 * Requests are head + length + prefix + id + suffix. With events=1 every event of the stream counts.
 *
 * With greeting=BODY each connection posts that first, which changes nothing and is not timed. So each is accepted; and the
 * first call follows upon an answer, as all others do, and not upon the start of this program.
 */
#include <sys/epoll.h>

#include "load.h"

#define EVENTS 256

struct connection {
    int socket, busy, greeting;
    long id;
    char *head;
    size_t head_length;
    struct buffer input;
};

static struct connection *connections;
static int connection_count, stream = -1, ready;
static struct buffer output, raw, lines;
static long events;
/* Of the stream: how many bytes of a chunk are still to come; -1: a size line is next. */
static long chunk_left = -1;

static void read_connections(void) {
    int socket;
    size_t length;
    while (scanf("%d %zu", &socket, &length) == 2) {
        struct connection *c;
        getchar();
        connections = realloc(connections, (size_t)(connection_count + 1) * sizeof *connections);
        c = &connections[connection_count++];
        *c = (struct connection){.socket = socket, .head = malloc(length), .head_length = length};
        if (fread(c->head, 1, length, stdin) != length) broken("a head is cut off");
    }
}

static void watch(int socket, int index) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)index};
    if (epoll_ctl(ready, EPOLL_CTL_ADD, socket, &event)) broken("cannot watch: %s", strerror(errno));
}

static void post(struct connection *c, const char *before, const char *id, const char *after) {
    c->busy = 1;
    output.used = 0;
    append(&output, c->head, c->head_length);
    output.used += (size_t)sprintf(space(&output, 64), "\r\nContent-Length: %zu\r\n\r\n", strlen(before) + strlen(id) + strlen(after));
    append(&output, before, strlen(before));
    append(&output, id, strlen(id));
    append(&output, after, strlen(after));
    send_all(c->socket, output.at, output.used);
}

static void send_call(struct connection *c, ns at) {
    char id[24];
    c->id = next_call(at);
    sprintf(id, "%ld", c->id);
    post(c, prefix, id, suffix);
}

/* The length of the complete response in the buffer; 0 where it is not. Sets where its body begins. */
static size_t complete(struct buffer *b, size_t *body) {
    char *end, *field;
    b->at[b->used] = 0;
    end = strstr(b->at, "\r\n\r\n");
    if (!end) return 0;
    *body = (size_t)(end + 4 - b->at);
    *end = 0;
    field = strcasestr(b->at, "\r\ncontent-length:");
    if (field) {
        size_t length = *body + (size_t)atol(field + 17);
        *end = '\r';
        return b->used >= length ? length : 0;
    }
    field = strcasestr(b->at, "\r\ntransfer-encoding: chunked");
    *end = '\r';
    if (!field) return *body;
    /* One response at a time: the last chunk ends the buffer. */
    return b->used - *body >= 5 && !memcmp(b->at + b->used - 5, "0\r\n\r\n", 5) ? b->used : 0;
}

static void receive(struct connection *c) {
    size_t length, body;
    fill(&c->input, c->socket);
    length = complete(&c->input, &body);
    if (!length) return;
    if (strncmp(c->input.at, "HTTP/1.1 2", 10)) broken("answered with %.200s", c->input.at);
    if (stream < 0 && !c->greeting) {
        if (!is_answer(c->input.at + body, length - body)) broken("a call's response holds no answer");
        settle(c->id, now());
    }
    c->busy = c->greeting = 0;
    drop(&c->input, length);
}

/* Takes the chunks' framing off the stream. */
static void dechunk(void) {
    size_t at = 0;
    while (at < raw.used) {
        if (chunk_left < 0) {
            char *end = memmem(raw.at + at, raw.used - at, "\r\n", 2);
            if (!end) break;
            /* The line end behind a chunk is an empty size line. */
            if (end != raw.at + at) {
                chunk_left = strtol(raw.at + at, NULL, 16);
                if (!chunk_left) broken("the event stream has ended");
            }
            at = (size_t)(end + 2 - raw.at);
        } else {
            size_t part = raw.used - at < (size_t)chunk_left ? raw.used - at : (size_t)chunk_left;
            append(&lines, raw.at + at, part);
            at += part;
            if (!(chunk_left -= (long)part)) chunk_left = -1;
        }
    }
    drop(&raw, at);
}

static void receive_events(void) {
    char *line, *end;
    ns at;
    fill(&raw, stream);
    at = now();
    dechunk();
    line = lines.at;
    while ((end = memchr(line, '\n', lines.used - (size_t)(line - lines.at)))) {
        size_t length = (size_t)(end - line);
        if (length > 5 && !memcmp(line, "data:", 5)) {
            events++;
            if (is_answer(line + 5, length - 5)) settle(id_in(line + 5, length - 5), at);
        }
        line = end + 1;
    }
    drop(&lines, (size_t)(line - lines.at));
}

static void send_due(void) {
    for (int i = 0; i < connection_count; i++) {
        ns at = now();
        if (!connections[i].busy && is_due(at)) send_call(&connections[i], at);
    }
}

static int all_free(void) {
    for (int i = 0; i < connection_count; i++)
        if (connections[i].busy) return 0;
    return 1;
}

/* Microseconds matter in an open loop; epoll_wait knows milliseconds only. */
static int wait_for(struct epoll_event *happened, struct timespec *wait) {
    struct pollfd any = {ready, POLLIN, 0};
    if (rate > 0 && ppoll(&any, 1, wait, NULL) <= 0) return 0;
    return epoll_wait(ready, happened, EVENTS, (int)(wait->tv_sec * 1000 + wait->tv_nsec / 1000000 + 1));
}

static void take(struct epoll_event *happened, int found) {
    for (int i = 0; i < found; i++) {
        int index = (int)happened[i].data.u32;
        if (index == connection_count) receive_events();
        else receive(&connections[index]);
    }
}

static void greet(const char *body) {
    struct epoll_event happened[EVENTS];
    struct timespec wait = {ANSWER_NS / 1000000000LL, 0};
    for (int i = 0; i < connection_count; i++) connections[i].greeting = 1, post(&connections[i], body, "", "");
    while (!all_free()) {
        int found = wait_for(happened, &wait);
        if (found <= 0) broken("a greeting was not answered within 30 s");
        take(happened, found);
    }
}

int main(int count, char **values) {
    struct epoll_event happened[EVENTS];
    plan(count, values);
    stream = atoi(option("stream", "-1"));
    read_connections();
    if (!connection_count) broken("no connections");
    ready = epoll_create1(0);
    for (int i = 0; i < connection_count; i++) watch(connections[i].socket, i), space(&connections[i].input, CHUNK);
    if (stream >= 0) watch(stream, connection_count), space(&raw, CHUNK), space(&lines, CHUNK);
    space(&output, 4096);
    if (*option("greeting", "")) greet(option("greeting", ""));
    begin();
    for (;;) {
        struct timespec wait;
        int found;
        ns at;
        send_due();
        at = now();
        if (is_over(at) && done == sent && all_free()) break;
        wait = patience(at);
        found = wait_for(happened, &wait);
        if (!found && sent != done && wait.tv_sec * 1000000000LL >= ANSWER_NS) broken("no answer within 30 s");
        take(happened, found);
    }
    report("events", events);
    return 0;
}
