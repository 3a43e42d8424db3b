"""Every default number of the gateway, each with its unit and its reason. Nothing else may hold a bare number.

Durations end in `_S` (seconds), sizes in `_BYTES`. What an operator may change is a flag, a catalog field or a line
of `config.yaml` of the same name; these are the values when nothing is said.
"""

from __future__ import annotations

from typing import Final

MIB: Final = 1024 * 1024

# --- messages ---------------------------------------------------------------------------------------------------

MAX_FRAME_BYTES: Final = 64 * MIB
"""Longest message of a client or a server. Results of 10–50 MB exist (screenshots, dumps); a line without end must not
fill the memory."""
FRAME_EDGE_BYTES: Final = 256
"""What is looked at of either end of a frame that cannot be read: the id of an answer stands there, if anywhere."""
MAX_OUTBOUND_BYTES: Final = 128 * MIB
"""Frames waiting for one client that does not read. Must hold two of the longest frames; past it the client is gone."""
MAX_OUTBOUND_NOTES_BYTES: Final = 16 * MIB
"""Frames waiting for one client beyond which it gets no more notifications, until it has read some; likewise for one
server, and answers to its requests as well."""
MAX_LAST_NOTES_BYTES: Final = MIB
"""Notifications waiting at the end of a client's stream beyond which they are left out, so that it comes to the answers
among them."""
MAX_INFLIGHT_PER_SESSION: Final = 1024
"""Requests of one client that wait for an answer: far beyond any agent, still bounded."""
MAX_SERVER_REQUESTS: Final = 64
"""Requests of servers that wait for one client: a person answers few at a time."""
MAX_REPAIRED_BYTES: Final = 16 * MIB
"""Longest frame that is searched for half surrogate pairs, which takes 30 ms a MiB: nobody else is served meanwhile."""
MAX_REPAIRS: Final = 200_000
"""Surrogates in such a frame: each costs half a microsecond."""
MAX_UPSTREAM_BATCH_MESSAGES: Final = 1000
"""Messages of a server in one batch (revision 2025-03-26); an answer to all calls that a container may have has 64."""
MAX_NARROW_BYTES: Final = 64 * 1024
"""Up to this length it does not matter into how many pieces a message falls when it is taken apart."""
MAX_BATCH_MESSAGES: Final = MAX_INFLIGHT_PER_SESSION
"""Messages in one batch of 2025-03-26: as many requests as may wait for an answer."""
MAX_BATCH_BYTES: Final = 4 * MIB
"""Longest batch. Its messages are cut apart at once, and an array of millions of tiny values takes thirty times its length."""
MAX_WIDE_BYTES: Final = MIB
"""Up to this length params may have any fields. Longer ones, only those that MCP names: they could fall into millions of
fields, which takes seconds, and what makes params long is one of the known."""
READ_CHUNK_BYTES: Final = 64 * 1024
"""One read of a pipe or socket: the size of a Linux pipe buffer."""
STDERR_TAIL_BYTES: Final = 64 * 1024
"""What is kept of a server's stderr, for `server inspect` and for the error when it dies."""
LIST_PAGE_ITEMS: Final = 1000
"""Items on one page of our own lists. Most clients never follow a cursor, so a page holds what people really have."""
MAX_LIST_PAGES: Final = 1000
"""Pages that are followed on an upstream's list: an upstream whose cursor never ends must not hold us."""
MAX_LIST_ITEMS: Final = 10_000
"""Items of one list of one server: ten times the longest known. The merged list of so many is built in 0.1 s."""
MAX_LIST_BYTES: Final = 8 * MIB
"""One list of one server, all its pages: four times that of all 328 servers of the public catalog."""
MAX_HELLO_BYTES: Final = 2 * MIB
"""Longest `initialize`, of a client or a server; instructions are cut later, where clients see them."""
MAX_LIST_COMPLAINTS: Final = 5
"""Items of one list whose fault is logged, each by itself; the others are counted."""
MAX_INSTRUCTIONS_CHARS: Final = 32 * 1024
"""Instructions of all servers together, as clients see them: they go into a model's context, which is dear."""
MAX_TEMPLATE_URI_CHARS: Final = 8 * 1024
"""Longest URI that is matched against resource templates: what browsers and servers take at most."""
MAX_SCHEMA_NODES: Final = 10_000
"""Schemas within one tool's schema that are looked at: generated ones of real tools have some hundred."""
MAX_SCHEMA_DEPTH: Final = 64
"""Nesting of a schema that is rewritten: real ones reach 15, and what refers to itself would have no end."""
MAX_INPUT_REQUESTS: Final = 64
"""Questions that one result of a server may ask: a person answers three, and a model not many more."""
MAX_SEALED_CHARS: Final = 8 * 1024
"""Longest `requestState` or task id of ours that is looked at; they have some hundred characters."""
MAX_SUBSCRIBED_URIS: Final = 1024
"""Resources that one `subscriptions/listen` follows; of more, the first are, as its acknowledgement says."""
MAX_TEMPLATE_PARTS: Final = 64
"""Variables and texts of one resource template: the matching takes a microsecond for each, and there may be thousands."""

WRITE_BATCH_BYTES: Final = 64 * 1024
"""Queued frames are joined into one write up to this size; longer ones are written by themselves, without a copy."""
LAST_WORDS_CHARS: Final = 400
"""How much of a dead server's stderr an error quotes: a few lines; `server inspect` shows the rest."""

# --- remote servers ---------------------------------------------------------------------------------------------

MAX_INFLIGHT_PER_REMOTE: Final = 1024
"""Messages on their way to one remote server: as many as one client may have, still bounded."""
REMOTE_INBOX_MESSAGES: Final = 64
"""Messages of one remote server that wait to be taken; past it the sockets are not read."""
REMOTE_KEEPALIVE_S: Final = 4.0
"""How long an unused connection is kept. Servers close theirs after 5 s, and a request must not meet the closing."""
REMOTE_KEEPALIVE_CONNECTIONS: Final = 16
"""Unused connections kept per remote server."""
REMOTE_PROBE_AFTER_S: Final = 30
"""A connection to a remote server on which nothing is heard for so long is probed by the kernel: one whose other end vanished
without a word would be waited on for ever."""
REMOTE_PROBE_EVERY_S: Final = 10
"""Between two such probes."""
REMOTE_PROBES: Final = 3
"""Probes without an answer after which the connection has broken."""
REMOTE_CLOSE_S: Final = 2.0
"""For saying goodbye to a remote server, and again for closing its connections."""
STREAM_LINGER_S: Final = 1.0
"""How long an answered event stream may take to end: one that was read to its end leaves its connection usable."""
RECONNECT_S: Final = 1.0
"""Until a broken event stream is opened again, unless the server named another pause; doubles while it fails."""
RECONNECT_FLOOR_S: Final = 0.1
"""Shortest such pause: a server that asks for none would keep us busy with nothing else."""
RECONNECT_CAP_S: Final = 30.0
"""Longest such pause of our own choosing."""
RESUME_ATTEMPTS: Final = 5
"""Failures in a row after which the answer of a broken event stream is given up."""
WEBSOCKET_SILENCE_S: Final = 45.0
"""A remote server that sends nothing on a WebSocket for this long, not even answers to three pings, is gone."""
PUT_OFF_S: Final = 30.0
"""All that one message waits at the word of a remote server (429 or 503 with `Retry-After`) before it fails; what is put off
for longer, or beyond its call's deadline, fails at once. Half of a usual deadline: an answer is to come in the other half."""
PUT_OFF_FLOOR_S: Final = 0.5
"""Shortest such pause: a server that says 0 would be asked without end."""
CREDENTIALS_PAUSE_S: Final = 5.0
"""After a remote entry's headers were looked up, because they were refused, they are not looked up again for this long:
each time reads all that is configured, and a wrong key sent twice as often may get its owner locked out."""
MAX_REDIRECTS: Final = 3
"""Redirects followed for one request; an address written without its slash takes one."""
MAX_ERROR_BODY_BYTES: Final = 64 * 1024
"""What is read of an HTTP error's body, in search of a JSON-RPC error."""

# --- time -------------------------------------------------------------------------------------------------------

CONNECT_TIMEOUT_S: Final = 10.0
"""Until a remote server's TCP and TLS handshake is done."""
ENGINE_TIMEOUT_S: Final = 60.0
"""One call to the container engine; a busy engine takes seconds to create or remove."""
INITIALIZE_TIMEOUT_S: Final = 30.0
"""Until a started server has answered `initialize`: cold interpreters on slow disks take 10 s and more."""
LIST_TIMEOUT_S: Final = 30.0
"""Until a server has answered one page of one of its lists."""
UNCACHED_LIST_WAIT_S: Final = 5.0
"""How long a client's list waits for servers never listed before; what comes later follows by list_changed."""
LISTS_TIMEOUT_S: Final = 120.0
"""Until all pages of all lists of a server are read: page by page it could keep us waiting for hours."""
RELIST_PAUSE_S: Final = 0.5
"""After a server's lists were read because it said that they changed, they are not read again for this long; doubles
while it goes on saying so, for each reading costs every client something."""
RELIST_PAUSE_CAP_S: Final = 60.0
"""Longest such pause, and how long a server must be quiet for the pauses to be short again."""
LIST_RETRY_FLOOR_S: Final = 1.0
"""After a server's lists could not be read, the first pause before they are tried again; doubles up to `LIST_RETRY_S`."""
LIST_RETRIES: Final = 5
"""How often they are tried again by itself, in half a minute: an engine that was restarted is back by then. Later, whoever
asks for lists has them tried."""
LIST_RETRY_S: Final = 30.0
"""After a server's lists could not be read, clients' lists do without it for this long before it is tried again."""
LIST_COALESCE_S: Final = 0.05
"""How long changes of lists are gathered before clients are told: servers announce several in one go."""
CALL_TIMEOUT_S: Final = 60.0
"""Until a call is answered; each progress notification starts it anew."""
CALL_TIMEOUT_CAP_S: Final = 3600.0
"""The longest that progress can keep one call alive."""
SETTLE_S: Final = 5.0
"""After a call has passed its deadline, how long its server may take to answer a ping before it counts as hung: a collector's
pause or a laptop's waking up is shorter."""
DEADLINE_SWEEP_S: Final = 0.25
"""How often deadlines of calls are looked at: a call may run over by that much."""
DEADLINE_REST_S: Final = 0.02
"""From a call on, where there was none, until deadlines are looked at again: most calls are over by then."""
STANDSTILL_S: Final = 1.0
"""A sleep that took so much longer than it should: the process stood still, and what seems overdue may have come."""
STANDSTILLS: Final = 3
"""Such sleeps in a row after which it is not a standstill but a loop that is always late."""
CALL_LOG_S: Final = 0.05
"""How long the line of a call may wait for others to be written with it: who reads along does not notice."""
LOG_LINES_PER_WRITE: Final = 16
"""Lines that are written, or lost, together: some 2 KiB, which a pipe takes in one piece or not at all. More at a time would
hold up the loop for longer than a call takes."""
DRAIN_TIMEOUT_S: Final = 10.0
"""How long calls in flight may still run after SIGTERM."""
HURRY_GRACE_S: Final = 0.4
"""After end of input on stdio, how long servers may take to end by themselves before they are killed."""
EXIT_S: Final = 15.0
"""The longest that stopping all servers may take once nothing is in flight any more."""
ENGINE_PROBE_S: Final = 5.0
"""How long `--starter` waits to learn whether an engine is there; after that an engine that is asked does not answer."""
ENGINE_SLOW_S: Final = 2.0
"""An engine that takes so long to say that it is there is in trouble, and so long a start goes on before it is asked."""
LAST_WRITES_S: Final = 5.0
"""From the end of a drain until all connections are cut. Ten megabytes take that long at 16 Mbit/s, and servers that do not
end by themselves are waited for as long; who is owed nothing is not waited for."""
LAST_READS_S: Final = 0.2
"""Clients that have been sent all there is have so long to close their connections by themselves."""
UNTAKEN_POLL_S: Final = 0.02
"""How often the kernel is asked whether the last bytes have arrived."""
CONTROL_S: Final = 5.0
"""For telling a command of ours the gateway's state, its containers' memory included, and for asking."""
STDIO_EXIT_S: Final = 1.2
"""From end of input to our exit on stdio: clients send SIGTERM after 2 s, and containers must be gone by then."""
LAST_WORDS_WAIT_S: Final = 0.04
"""From the end of a server's stdout to the failure of its calls: its last stderr lines and its exit status take the way
through the engine. What comes later is in the log."""
ENDING_S: Final = 2.0
"""From the end of a server's stdout until nothing more is expected to be learned of how it ended."""
FIFO_OPEN_S: Final = 3.0
"""How long a started container may take to open its named pipes before it is started anew without them: its shell does so
within milliseconds, and the engine's own word that it runs comes later than that."""
NETWORK_OPEN_S: Final = 3.0
"""How long the holder of a shared network may take to run, once the engine says that it was started."""
STOP_GRACE_S: Final = 2.0
"""Between the steps of stopping a server: stdin closed, SIGTERM, SIGKILL."""
STOP_DEADLINE_S: Final = 2 * STOP_GRACE_S + 0.5
"""All patience with a server that is being stopped: both graces, and one call to the engine between them."""
REMOVE_TIMEOUT_S: Final = 10.0
"""Until a container is removed: what is slower is left to the next reaping."""
PULL_RETRY_S: Final = 10.0
"""For so long a failed pull is not tried again: those who waited for it share its failure."""
ORPHAN_RETRY_S: Final = 2.0
"""After a container could not be removed, or an engine did not answer, how long until what nobody holds is looked for."""
REAP_PERIOD_S: Final = 60.0
"""How often a gateway looks for what dead gateways of its home left behind."""

# --- pool -------------------------------------------------------------------------------------------------------

POOL_WARM: Final = 0
"""Spares kept per server. Nothing runs before the first call unless an operator says otherwise."""
POOL_MAX: Final = 20
"""Containers of one server at most; more calls wait for one of them until their deadline."""
POOL_IDLE_S: Final = 60.0
"""After this long without a call, a server's container is stopped."""
LISTED_IDLE_S: Final = 2.0
"""A container that was started for its lists alone stays for this long: who lists may be about to call."""
POOL_MAX_INFLIGHT: Final = 64
"""Calls in one container at a time; further ones wait."""
PARALLEL_STARTS: Final = 4
"""Containers started at a time, over all servers: an engine starts 3–5 a second, however many are asked for."""
START_PLACE_S: Final = 2.0
"""After this long a start no longer counts: it waits for a registry or an address, and others must not wait for those."""
REFILL_PAUSE_S: Final = 0.02
"""From an arrival until spares are started in the place of the one it took: its first call is answered by then, and a
start takes twenty times as long."""
SPARES_AHEAD: Final = PARALLEL_STARTS
"""Spares beyond the floor that an arrival history may ask for: no more can be started in the time of one start."""
FORECAST_GAPS: Final = 8
"""Gaps between arrivals before they are taken for a habit: a client that connects twice is none."""
FREEZE_AFTER_S: Final = 30.0
"""A greeted spare that is idle for so long is frozen, unless it is the next to be used: what stands still uses no processor."""
FREEZE_SHARE: Final = 0.8
"""Of the memory budget; past it all that is idle is frozen, for it does not grow then."""
MEASURE_PERIOD_S: Final = 5.0
"""How often the memory of containers is measured where there is a budget."""
MEASURE_FIRST_S: Final = 0.2
"""From a greeting until the memory of that container is measured for the first time: till then it counts as what it may
use, which is often a hundred times as much."""
START_GUESS_S: Final = 0.5
"""How long a start takes, before one was seen: create to first answer of a small container on a small machine."""
START_SAMPLES: Final = 128
"""Starts of a server over which percentiles are taken."""
RECENT_PROFILES: Final = 16
"""Clients over which the kinds of spares are shared out."""
START_BACKOFF_S: Final = 0.5
"""First pause after a failed start of a server; doubles with each further one, with full jitter."""
START_BACKOFF_CAP_S: Final = 30.0
"""Longest such pause."""

# --- supervision ------------------------------------------------------------------------------------------------

RESTART_INTENSITY: Final = 5
"""Crashes of one actor within `RESTART_PERIOD_S` that are still answered by a restart; one more, and it is no accident."""
RESTART_PERIOD_S: Final = 60.0
"""The window in which crashes are counted."""
RESTART_BACKOFF_S: Final = 0.1
"""First pause before an actor is restarted: clients wait for it, so it is short."""
RESTART_BACKOFF_CAP_S: Final = 5.0
"""Longest such pause."""
RESTART_CALM_S: Final = 60.0
"""An actor that lived so long after a restart has recovered: its next pause is short again."""
SHUTDOWN_S: Final = 5.0
"""How long an actor that was asked to end may take, before it is cancelled."""

# --- sharing ----------------------------------------------------------------------------------------------------

SHARES: Final = 4
"""Where there are several clients, each may have one in so many of the reads of a turn: enough to have little of the turn be
its own price, and few enough that nobody waits for long. A client that is alone may have all."""
COMPANY_S: Final = 5.0
"""So long after another client was seen, a client is not alone: people and agents pause for seconds between two calls."""

# --- sessions ---------------------------------------------------------------------------------------------------

MAX_SESSIONS: Final = 4096
"""Client sessions at a time over the network transports."""
SESSION_IDLE_S: Final = 1800.0
"""A network session with no request and no open stream for this long has been left by its client."""
SESSION_SPARED_S: Final = 10.0
"""Where there are too many sessions, one that showed life within this time is not closed for another."""
SESSION_SWEEP_S: Final = 30.0
"""How often left sessions are looked for."""

MAX_STATELESS_CALLS: Final = 4096
"""Calls of modern clients at a time, those included that wait for their client's answers."""
MAX_LISTENERS: Final = 1024
"""Subscriptions of modern clients at a time; each is an open stream."""
PARKED_S: Final = 300.0
"""How long a call waits for its client to come back with answers: a person fills in a form meanwhile."""
PARKED_SWEEP_S: Final = 15.0
"""How often calls are looked for whose client did not come back."""
QUESTION_GATHER_S: Final = 0.03
"""How long a first question waits for others of the same call: an old server sends them one by one, a modern client takes
them together. Much less than a person needs to answer."""
MAX_ROUNDS: Final = 32
"""How often a modern server may ask within one call of a legacy client, which cannot see that nothing else happens."""
ROUND_PAUSE_S: Final = 0.5
"""Before a call is repeated whose server asked for nothing but that."""
TASK_CAP_S: Final = 3600.0
"""How long a server is kept for a task that is not over, whatever the task says: its client may have forgotten it."""
PROBE_S: Final = 10.0
"""How long a server may take to answer whether it is a modern one; some old ones never do. It may have to start first."""
LISTEN_ACK_S: Final = 10.0
"""How long a server may take to say to which changes it will listen."""
STATE_KEY_BYTES: Final = 32
"""Key of the states that modern clients carry; made anew at each start, for what they name does not survive it."""

# --- containers -------------------------------------------------------------------------------------------------

CONTAINER_MEMORY: Final = "2Gb"
"""Memory of one container (Docker's gateway has the same default)."""
MIN_CONTAINER_MEMORY_BYTES: Final = 6 * MIB
"""Least memory that an engine accepts for a container."""
CONTAINER_CPUS: Final = 1.0
"""Processors of one container (Docker's gateway has the same default)."""
CONTAINER_PIDS: Final = 512
"""Processes and threads of one container: a browser takes 200, a fork bomb takes all."""
THAW_RETRIES_S: Final = (0.005, 0.02, 0.1, 0.5, 2.0)
"""Pauses before a container is thawed again that its engine does not know to be frozen yet."""
MEASURE_S: Final = 2.0
"""How long the memory of all containers may take to be measured; the rest keeps its former figure."""
ENGINE_THREADS: Final = 8
"""Calls to the engine at a time: twice `PARALLEL_STARTS`, so that removals never wait for starts."""
PULL_THREADS: Final = 4
"""Images pulled at a time; of their own, so that a slow registry does not hold up starts."""

# --- network ----------------------------------------------------------------------------------------------------

DEFAULT_PORT: Final = 8811
"""Port of the network transports (the same as Docker's gateway)."""
MAX_CONNECTIONS: Final = 8192
"""Client connections at a time: a session holds a stream and posts on a second connection. Past it, accept waits."""
MAX_DESCRIPTORS: Final = 32_768
"""File descriptors we ask for when serving the network: one for each connection, four for each local process. The usual
soft limit of 1024 is reached by 500 clients; servers started by us inherit ours, and some close all that there may be."""
CONTROL_BACKLOG: Final = 16
"""Commands of ours that ask at the same time."""
SOCKET_PATH_BYTES: Final = 100
"""Longest path of a unix socket that is used as it is: systems take 103 to 107 bytes."""
LISTEN_BACKLOG: Final = 1024
"""Connections the kernel queues for us while we are busy; an agent opens dozens at once."""
KEEP_ALIVE_S: Final = 75.0
"""An HTTP connection without a request is closed after this long: longer than clients keep theirs in a pool, so that
ours is seldom the side that closes while a request is under way."""
HEAD_BYTES: Final = 16 * 1024
"""Longest request line and headers together; also the longest trailers of a chunked body."""
REMEMBERED_HOSTS: Final = 64
"""Host names whose reading is remembered: a gateway has a handful, and each request names one."""
HEAD_FIELDS: Final = 128
"""Headers of one request: browsers behind three proxies send 40."""
HEAD_TIMEOUT_S: Final = 10.0
"""From a request's first byte until its head is whole: one that drips would hold a connection for good."""
CONNECTION_SWEEP_S: Final = 0.25
"""How often the times of connections are looked at: each may run over by that much."""
READS_PER_TURN: Final = 64
"""Connections that are read from in one turn of the loop: some 2 ms of work, after which everything else has its turn."""
READY_PER_TURN: Final = 1024
"""Connections that are taken note of in one turn, where clients are read from in turn; the kernel remembers the rest."""
SSE_KEEPALIVE_S: Final = 15.0
"""A silent event stream gets a comment this often: proxies cut what is silent for 30 to 60 s."""
STREAM_AFTER_S: Final = 1.0
"""A call not answered after this long is answered by an event stream where its client can resume one: a plain answer is
lost with its connection, and whoever has to wait is who gets cut off."""
RESUME_RETRY_S: Final = 1.0
"""What clients are told to wait for before they reconnect to an event stream."""
RESUME_KEEP_S: Final = 60.0
"""How long a stream waits for a client that was cut off, or that may have been at its end: laptops wake, proxies restart."""
RESUME_EVENTS: Final = 1024
"""Events of one stream that are kept for its client to come back for: a progress event a second for a quarter of an hour."""
RESUME_BYTES: Final = 4 * MIB
"""The same in bytes; the newest event is kept whatever its size, for it is mostly the answer."""
RESUME_ENDED_BYTES: Final = 128 * MIB
"""What ended streams of all clients may keep together: two of the longest answers. The oldest go first."""
RESUME_ENDED_STREAMS: Final = 4096
"""How many ended streams are kept at all: one for each session that may be open."""
WEBSOCKET_PING_S: Final = 15.0
"""A WebSocket is pinged this often: proxies cut what is silent for 30 to 60 s."""
SEND_STALL_S: Final = 30.0
"""A client that takes not one byte for this long no longer reads; its connection is closed."""
BODY_STALL_S: Final = 30.0
"""A request body of which nothing arrives for this long is given up."""
LINGER_S: Final = 2.0
"""How long the body of a refused request is still read and thrown away: a connection closed before loses the answer."""
STDIO_FLUSH_S: Final = 0.25
"""After end of input, answers are still waited for and written for this long at most; part of `STDIO_EXIT_S`."""
CORS_MAX_AGE_S: Final = 7200
"""How long a browser may keep a preflight's answer (Chromium's own cap)."""
RETRY_AFTER_S: Final = 2
"""What a client is told to wait for when we are starting, draining or full."""
TOKEN_BYTES: Final = 32
"""Randomness of a bearer token: 256 bits."""

# --- logs -------------------------------------------------------------------------------------------------------

LOG_VALUE_CHARS: Final = 4096
"""Longest value in one line of the log: a tail of stderr fits in part, a screenshot does not."""
LOG_TRACE_CHARS: Final = 64 * 1024
"""Longest traceback in the log: nested exception groups take some 10 KiB."""
MIN_SECRET_CHARS: Final = 4
"""Shortest secret that is masked in logs: shorter ones occur in ordinary words."""

# --- catalogs ---------------------------------------------------------------------------------------------------

MAX_DOCUMENT_BYTES: Final = 16 * MIB
"""Longest catalog or config file. The public catalog of 328 servers has 2 MB."""
MAX_FILLED_IN_CHARS: Final = 128 * 1024
"""What values may add to one text of a catalog entry. Linux gives no program a longer argument or variable; filters, and
variables that refer to each other, could double a text again and again."""
MAX_DOCUMENT_DEPTH: Final = 64
"""Deepest nesting of such a file: JSON schemas of real tools reach 15."""
MAX_DOCUMENT_VALUES: Final = 1_000_000
"""Values of such a file with its aliases written out: ten times the public catalog, and no alias bomb."""
MAX_SECRET_BYTES: Final = MIB
"""Longest secret, and longest file of secrets: keys and certificates have a few KB."""
MAX_SECRET_FILES: Final = 1000
"""Files in a folder of secrets: more, and it is some other folder."""
URL_TIMEOUT_S: Final = 10.0
"""Until a catalog was fetched; then its kept copy is used."""
URL_FRESH_S: Final = 300.0
"""For this long a fetched catalog is not asked for again: starts and reloads stay fast."""
PARSED_FILES_KEPT: Final = 64
"""Parsed catalogs and settings in the cache, the newest ones."""
WATCH_SETTLE_S: Final = 0.1
"""Files must be left alone for this long before they are read: editors write in several steps."""
WATCH_SETTLE_CAP_S: Final = 2.0
"""Files that never rest are read after this long."""
WATCH_POLL_S: Final = 2.0
"""How often files are looked at where the kernel reports nothing (network and shared folders)."""
