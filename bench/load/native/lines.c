/* Calls over a stream of lines: a program's pipes, named pipes, or the engine's attach stream (framed=1).
 *
 * Requests are prefix + id + suffix + newline. `depth` of them are unanswered at a time; those that become due together
 * go into one write, as with a busy client.
 */
#include "load.h"

#define FRAME_HEADER 8

static int to, from, framed;
static struct buffer output, raw, input;
static size_t scanned;

static void send_due(void) {
    ns at = now();
    while (is_due(at)) {
        char *where = space(&output, strlen(prefix) + strlen(suffix) + 32);
        output.used += (size_t)sprintf(where, "%s%ld%s\n", prefix, next_call(at), suffix);
    }
    send_all(to, output.at, output.used);
    output.used = 0;
}

/* Takes the frames' headers off; what is not stdout is dropped. */
static void unframe(void) {
    size_t at = 0;
    while (raw.used - at >= FRAME_HEADER) {
        const unsigned char *header = (unsigned char *)raw.at + at;
        size_t length = (size_t)header[4] << 24 | header[5] << 16 | header[6] << 8 | header[7];
        if (raw.used - at - FRAME_HEADER < length) break;
        if (*header == 1) append(&input, raw.at + at + FRAME_HEADER, length);
        at += FRAME_HEADER + length;
    }
    drop(&raw, at);
}

static void receive(void) {
    char *line = input.at, *end;
    ns at;
    fill(framed ? &raw : &input, from);
    at = now();
    if (framed) unframe();
    line = input.at;
    while ((end = memchr(input.at + scanned, '\n', input.used - scanned))) {
        if (is_answer(line, (size_t)(end - line))) settle(id_in(line, (size_t)(end - line)), at);
        line = end + 1;
        scanned = (size_t)(line - input.at);
    }
    drop(&input, (size_t)(line - input.at));
    /* Only what is new can hold the line's end. */
    scanned = input.used;
}

int main(int count, char **values) {
    plan(count, values);
    to = atoi(option("to", "1")), from = atoi(option("from", "0"));
    framed = atoi(option("framed", "0"));
    space(&output, 1), space(&input, CHUNK);
    begin();
    for (;;) {
        struct pollfd ready = {from, POLLIN, 0};
        struct timespec wait;
        ns at;
        send_due();
        at = now();
        if (is_over(at) && done == sent) break;
        wait = patience(at);
        if (ppoll(&ready, 1, &wait, NULL) > 0) receive();
        else if (sent != done && wait.tv_sec * 1000000000LL >= ANSWER_NS) broken("no answer within 30 s");
    }
    report("depth", depth);
    return 0;
}
