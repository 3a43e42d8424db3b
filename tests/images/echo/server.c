/* A small MCP server over stdio, static, so that it runs in an image made from scratch. For tests only.
 *
 * Tools: echo {text}, add {a,b}, sleep {ms}, env {name}, stderr {text}, flood {bytes}, crash {status}, touch {}, whoami {},
 * count {to}.
 * `sleep` does not block: further calls are answered meanwhile. `touch` sends notifications/tools/list_changed, `count` sends
 * notifications/progress with 1 to `to`, where the call has a progress token.
 * What was not understood is answered with a JSON-RPC error.
 *
 * Arguments (any number, in any order):
 *   --ignore-eof     goes on after the end of its input       --ignore-term   does not end on SIGTERM
 *   --mute           never answers                            --banner        prints a log line on stdout first
 *   --exit=N         exits at once with status N              --stderr=TEXT   writes TEXT to stderr at start
 *   --tools=PREFIX   names its tools PREFIX_echo ...          --print=TEXT    prints TEXT on stdout and exits
 *   --init-ms=N      takes N ms to answer initialize          --list-ms=N     takes N ms to answer tools/list
 *   --die-at=N       exits with status 3 at its N-th call     --rogue         has the two tools below, obeys signals
 *
 * With --rogue: stream {ms} reports progress every 20 ms until the time is over; misbehave {how, bytes} does what rogue()
 * says. So does a signal, at any time: SIGUSR1 hang, SIGUSR2 flood, SIGHUP garbage, SIGQUIT exit.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct slice { const char *at; size_t length; };
/* A call that is answered later; `token`: of its progress, NULL where none is reported. `begun`: when it came. */
struct sleeper { struct sleeper *next; long long due, begun; char *id, *token; };

static struct sleeper *sleepers;
static const char *prefix = "";
static int ignore_eof, mute, is_rogue, die_at, calls;
static long init_ms, list_ms;
static volatile sig_atomic_t told;

static long long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static const char *skip_space(const char *p) { while (isspace((unsigned char)*p)) p++; return p; }

/* The end of the JSON value at p; NULL where it is none. */
static const char *skip_value(const char *p) {
    int depth = 0;
    p = skip_space(p);
    do {
        if (*p == '"') {
            for (p++; *p && *p != '"'; p++) if (*p == '\\' && p[1]) p++;
            if (!*p) return NULL;
            p++;
        } else if (*p == '{' || *p == '[') { depth++; p++; }
        else if (*p == '}' || *p == ']') { depth--; p++; }
        else if (!*p) return NULL;
        else if (depth) p++;
        else { while (*p && !strchr(",}] \t\r\n", *p)) p++; }
    } while (depth > 0);
    return p;
}

/* The value of `key` in the JSON object at p; length 0 where there is none. */
static struct slice member(const char *p, const char *key) {
    struct slice none = {"", 0};
    if (!p || *(p = skip_space(p)) != '{') return none;
    p = skip_space(p + 1);
    while (*p == '"') {
        const char *name = p + 1, *end = skip_value(p), *value;
        if (!end) return none;
        p = skip_space(end);
        if (*p != ':') return none;
        value = skip_space(p + 1);
        p = skip_value(value);
        if (!p) return none;
        if ((size_t)(end - 1 - name) == strlen(key) && !strncmp(name, key, strlen(key)))
            return (struct slice){value, (size_t)(p - value)};
        p = skip_space(p);
        if (*p != ',') return none;
        p = skip_space(p + 1);
    }
    return none;
}

static int is(struct slice s, const char *text) {
    return s.length == strlen(text) + 2 && *s.at == '"' && !strncmp(s.at + 1, text, strlen(text));
}

static void put(struct slice s) { fwrite(s.at, 1, s.length, stdout); }

static void open_result(struct slice id) {
    fputs("{\"jsonrpc\":\"2.0\",\"id\":", stdout); put(id); fputs(",\"result\":", stdout);
}

static void fail(struct slice id, int code, const char *message) {
    fputs("{\"jsonrpc\":\"2.0\",\"id\":", stdout); put(id);
    printf(",\"error\":{\"code\":%d,\"message\":\"%s\"}}\n", code, message);
}

/* `text` is a JSON string with its quotes. */
static void say(struct slice id, struct slice text) {
    open_result(id);
    fputs("{\"content\":[{\"type\":\"text\",\"text\":", stdout); put(text); fputs("}],\"isError\":false}}\n", stdout);
}

static void say_plain(struct slice id, const char *text) {
    open_result(id);
    fputs("{\"content\":[{\"type\":\"text\",\"text\":\"", stdout);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        if ((unsigned char)*text >= ' ') putchar(*text);
    }
    fputs("\"}],\"isError\":false}}\n", stdout);
}

static char *copy(struct slice s) {
    char *c = malloc(s.length + 1);
    memcpy(c, s.at, s.length);
    c[s.length] = 0;
    return c;
}

/* The inside of a JSON string, escapes left as they are. */
static char *inside(struct slice s) {
    if (s.length < 2 || *s.at != '"') return strdup("");
    return copy((struct slice){s.at + 1, s.length - 2});
}

static const char *TOOLS[][2] = {
    {"echo", "\"text\":{\"type\":\"string\"}"}, {"add", "\"a\":{\"type\":\"number\"},\"b\":{\"type\":\"number\"}"},
    {"sleep", "\"ms\":{\"type\":\"integer\"}"}, {"env", "\"name\":{\"type\":\"string\"}"},
    {"stderr", "\"text\":{\"type\":\"string\"}"}, {"flood", "\"bytes\":{\"type\":\"integer\"}"},
    {"crash", "\"status\":{\"type\":\"integer\"}"}, {"touch", ""}, {"whoami", ""}, {"count", "\"to\":{\"type\":\"integer\"}"},
    {"stream", "\"ms\":{\"type\":\"integer\"}"}, {"misbehave", "\"how\":{\"type\":\"string\"}"},
};
static const size_t ROGUE_TOOLS = 2;

static void list_tools(struct slice id) {
    size_t i, count = sizeof TOOLS / sizeof *TOOLS - (is_rogue ? 0 : ROGUE_TOOLS);
    open_result(id);
    fputs("{\"tools\":[", stdout);
    for (i = 0; i < count; i++)
        printf("%s{\"name\":\"%s%s\",\"description\":\"%s, for tests\",\"inputSchema\":{\"type\":\"object\",\"properties\":{%s}}}",
               i ? "," : "", prefix, TOOLS[i][0], TOOLS[i][0], TOOLS[i][1]);
    fputs("]}}\n", stdout);
}

/* Waits for input, or for nothing; -1 ms is for ever. Signals come here and nowhere else, so that none is overlooked. */
static int wait_ms(struct pollfd *input, long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    sigset_t none;
    sigemptyset(&none);
    return ppoll(input, input ? 1 : 0, ms < 0 ? NULL : &left, &none);
}

static void later(struct slice id, long long ms, struct slice token) {
    struct sleeper *s = malloc(sizeof *s);
    *s = (struct sleeper){sleepers, now_ms() + ms, now_ms(), copy(id), token.length ? copy(token) : NULL};
    sleepers = s;
}

/* Never reads again, and does not end by itself. */
static void hang(void) {
    fflush(stdout);
    for (;;) pause();
}

static void flood(FILE *to, const char *line) {
    for (;;) if (fputs(line, to) < 0) exit(0);
}

/* `id`: of the call that asks for it; without one it was a signal. */
static void rogue(const char *how, struct slice id, long long bytes) {
    if (!strcmp(how, "hang")) hang();
    else if (!strcmp(how, "exit")) exit(0);
    else if (!strcmp(how, "flood"))
        flood(stdout, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"flood\"}}\n");
    else if (!strcmp(how, "garbage")) flood(stdout, "\x80\xff}{[\"garbage ");
    else if (!strcmp(how, "stderr")) flood(stderr, "a line that nobody wants to know\n");
    else if (!strcmp(how, "close")) { fclose(stdout); for (;;) pause(); }
    else if (!strcmp(how, "deaf")) { say_plain(id, "deaf from now on"); hang(); }
    else if (!strcmp(how, "twice")) { say_plain(id, "once"); say_plain(id, "twice"); }
    else if (!strcmp(how, "log")) { puts("INFO a log line on stdout"); puts("{\"level\":\"info\"}"); say_plain(id, "logged"); }
    else if (!strcmp(how, "unknown")) {
        say_plain((struct slice){"987654321", 9}, "an answer to nobody");
        say_plain((struct slice){"\"nobody\"", 8}, "an answer to nobody");
        fail((struct slice){"null", 4}, -32600, "an error of nobody");
        say_plain(id, "an answer to somebody");
    } else if (!strcmp(how, "version")) {
        fputs("{\"jsonrpc\":\"1.0\",\"id\":", stdout); put(id); puts(",\"result\":{\"content\":[]}}");
    } else if (!strcmp(how, "big")) {
        open_result(id);
        fputs("{\"content\":[{\"type\":\"text\",\"text\":\"", stdout);
        while (bytes-- > 0) putchar_unlocked('x');
        fputs("\"}],\"isError\":false}}\n", stdout);
    } else if (!strcmp(how, "deep")) {
        long long left;
        open_result(id);
        for (left = bytes; left-- > 0;) putchar_unlocked('[');
        for (left = bytes; left-- > 0;) putchar_unlocked(']');
        puts("}");
    } else if (!strcmp(how, "dribble")) {
        char line[256];
        size_t i, length = (size_t)snprintf(line, sizeof line,
            "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"drop by drop\"}]}}\n",
            (int)id.length, id.at);
        for (i = 0; i < length; i++) { putchar(line[i]); fflush(stdout); wait_ms(NULL, 5); }
    } else if (!strcmp(how, "fork")) {
        fflush(stdout);
        if (fork() == 0) { signal(SIGTERM, SIG_IGN); for (;;) pause(); }
        exit(0);
    } else fail(id, -32602, "no such way to misbehave");
}

static void obey(int number) { told = number; }

static void do_as_told(void) {
    struct slice nobody = {"null", 4};
    switch (told) {
        case SIGUSR1: hang(); break;
        case SIGUSR2: rogue("flood", nobody, 0); break;
        case SIGHUP: rogue("garbage", nobody, 0); break;
        case SIGQUIT: exit(0);
    }
}

static void call_tool(struct slice id, struct slice params) {
    struct slice name = member(params.at, "name"), arguments = member(params.at, "arguments");
    char *tool = inside(name), text[64];
    const char *bare = strncmp(tool, prefix, strlen(prefix)) ? "" : tool + strlen(prefix);
    if (++calls == die_at) {
        fputs("dying at this call\n", stderr);
        exit(3);
    }
    if (!strcmp(bare, "echo")) {
        struct slice said = member(arguments.at, "text");
        say(id, said.length && *said.at == '"' ? said : (struct slice){"\"\"", 2});
    } else if (!strcmp(bare, "add")) {
        snprintf(text, sizeof text, "%g", atof(member(arguments.at, "a").at) + atof(member(arguments.at, "b").at));
        say_plain(id, text);
    } else if (!strcmp(bare, "sleep")) {
        later(id, atoll(member(arguments.at, "ms").at), (struct slice){"", 0});
    } else if (!strcmp(bare, "env")) {
        char *variable = inside(member(arguments.at, "name")), *value = getenv(variable);
        say_plain(id, value ? value : "(unset)");
        free(variable);
    } else if (!strcmp(bare, "stderr")) {
        char *line = inside(member(arguments.at, "text"));
        fprintf(stderr, "%s\n", line);
        free(line);
        say_plain(id, "written");
    } else if (!strcmp(bare, "flood")) {
        long long left = atoll(member(arguments.at, "bytes").at);
        open_result(id);
        fputs("{\"content\":[{\"type\":\"text\",\"text\":\"", stdout);
        while (left-- > 0) putchar('x');
        fputs("\"}],\"isError\":false}}\n", stdout);
    } else if (!strcmp(bare, "crash")) {
        fputs("crashing as told\n", stderr);
        exit(atoi(member(arguments.at, "status").at));
    } else if (!strcmp(bare, "touch")) {
        fputs("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n", stdout);
        say_plain(id, "touched");
    } else if (!strcmp(bare, "whoami")) {
        snprintf(text, sizeof text, "%d:%d", (int)getuid(), (int)getgid());
        say_plain(id, text);
    } else if (is_rogue && !strcmp(bare, "stream")) {
        later(id, atoll(member(arguments.at, "ms").at), member(member(params.at, "_meta").at, "progressToken"));
    } else if (is_rogue && !strcmp(bare, "misbehave")) {
        char *how = inside(member(arguments.at, "how"));
        rogue(how, id, atoll(member(arguments.at, "bytes").at));
        free(how);
    } else if (!strcmp(bare, "count")) {
        struct slice token = member(member(params.at, "_meta").at, "progressToken");
        long to = atol(member(arguments.at, "to").at), i;
        for (i = 1; token.length && i <= to; i++) {
            fputs("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":", stdout); put(token);
            printf(",\"progress\":%ld,\"total\":%ld}}\n", i, to);
        }
        say_plain(id, "counted");
    } else {
        fail(id, -32602, "no such tool");
    }
    free(tool);
}

static void handle(const char *line) {
    struct slice id = member(line, "id"), method = member(line, "method"), params = member(line, "params");
    if (mute) return;
    if (!method.length) {
        if (!id.length) fail((struct slice){"null", 4}, -32700, "this is not JSON-RPC");
        return;
    }
    if (!id.length) return;
    if (is(method, "initialize")) {
        struct slice version = member(params.at, "protocolVersion");
        wait_ms(NULL, init_ms);
        if (told) do_as_told();
        open_result(id);
        fputs("{\"protocolVersion\":", stdout);
        put(version.length ? version : (struct slice){"\"2025-06-18\"", 12});
        fputs(",\"capabilities\":{\"tools\":{\"listChanged\":true}},"
              "\"serverInfo\":{\"name\":\"echo\",\"version\":\"1\"}}}\n", stdout);
    } else if (is(method, "ping")) { open_result(id); fputs("{}}\n", stdout); }
    else if (is(method, "tools/list")) {
        wait_ms(NULL, list_ms);
        if (told) do_as_told();
        list_tools(id);
    }
    else if (is(method, "tools/call")) call_tool(id, params);
    else fail(id, -32601, "no such method");
}

/* Answers the sleepers that are due; the milliseconds until there is something to do, -1 where there is nothing. */
static int wake(void) {
    struct sleeper **at = &sleepers;
    long long next = -1;
    while (*at) {
        struct sleeper *s = *at;
        long long left = s->due - now_ms();
        if (left > 0 && s->token) {
            printf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":%lld}}\n",
                   s->token, now_ms() - s->begun);
            if (left > 20) left = 20;
        }
        if (left <= 0) {
            say_plain((struct slice){s->id, strlen(s->id)}, "slept");
            *at = s->next;
            free(s->token);
            free(s->id);
            free(s);
        } else {
            if (next < 0 || left < next) next = left;
            at = &s->next;
        }
    }
    return (int)next;
}

static void options(int count, char **values) {
    int i;
    for (i = 1; i < count; i++) {
        const char *v = values[i];
        if (!strcmp(v, "--ignore-eof")) ignore_eof = 1;
        else if (!strcmp(v, "--ignore-term")) signal(SIGTERM, SIG_IGN);
        else if (!strcmp(v, "--mute")) mute = 1;
        else if (!strcmp(v, "--banner")) puts("INFO starting, this line is no JSON");
        else if (!strncmp(v, "--stderr=", 9)) fprintf(stderr, "%s\n", v + 9);
        else if (!strncmp(v, "--exit=", 7)) exit(atoi(v + 7));
        else if (!strncmp(v, "--init-ms=", 10)) init_ms = atol(v + 10);
        else if (!strncmp(v, "--list-ms=", 10)) list_ms = atol(v + 10);
        else if (!strncmp(v, "--die-at=", 9)) die_at = atoi(v + 9);
        else if (!strcmp(v, "--rogue")) {
            int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGQUIT}, n;
            struct sigaction action = {.sa_handler = obey};
            sigset_t waiting;
            sigemptyset(&waiting);
            for (n = 0; n < 4; n++) { sigaction(signals[n], &action, NULL); sigaddset(&waiting, signals[n]); }
            sigprocmask(SIG_BLOCK, &waiting, NULL);
            is_rogue = 1;
        }
        else if (!strncmp(v, "--print=", 8)) { fputs(v + 8, stdout); exit(0); }
        else if (!strncmp(v, "--tools=", 8)) {
            char *named = malloc(strlen(v) + 2);
            sprintf(named, "%s_", v + 8);
            prefix = named;
        }
    }
    fflush(stdout);
}

int main(int count, char **values) {
    size_t used = 0, room = 65536;
    char *buffer = malloc(room + 1);
    setvbuf(stdout, NULL, _IOFBF, 65536);
    options(count, values);
    for (;;) {
        struct pollfd input = {STDIN_FILENO, POLLIN, 0};
        char *line, *end;
        ssize_t got;
        int timeout = wake();
        fflush(stdout);
        if (told) do_as_told();
        if (wait_ms(&input, timeout) <= 0) continue;
        if (used == room) buffer = realloc(buffer, (room *= 2) + 1);
        got = read(STDIN_FILENO, buffer + used, room - used);
        if (got <= 0) break;
        /* Only what is new can hold the line's end. */
        end = memchr(buffer + used, '\n', (size_t)got);
        used += (size_t)got;
        for (line = buffer; end; end = memchr(line, '\n', used - (size_t)(line - buffer))) {
            *end = 0;
            handle(line);
            line = end + 1;
        }
        used -= (size_t)(line - buffer);
        memmove(buffer, line, used);
    }
    fflush(stdout);
    while (ignore_eof) pause();
    return 0;
}
