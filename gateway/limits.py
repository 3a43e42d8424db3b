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
MAX_OUTBOUND_BYTES: Final = 128 * MIB
"""Frames waiting for one client that does not read. Must hold two of the longest frames; past it the client is gone."""
MAX_INFLIGHT_PER_SESSION: Final = 1024
"""Requests of one client that wait for an answer: far beyond any agent, still bounded."""
READ_CHUNK_BYTES: Final = 64 * 1024
"""One read of a pipe or socket: the size of a Linux pipe buffer."""
STDERR_TAIL_BYTES: Final = 64 * 1024
"""What is kept of a server's stderr, for `server inspect` and for the error when it dies."""
LIST_PAGE_ITEMS: Final = 1000
"""Items on one page of our own lists. Most clients never follow a cursor, so a page holds what people really have."""
MAX_LIST_PAGES: Final = 1000
"""Pages that are followed on an upstream's list: an upstream whose cursor never ends must not hold us."""
MAX_INSTRUCTIONS_CHARS: Final = 32 * 1024
"""Instructions of all servers together, as clients see them: they go into a model's context, which is dear."""
MAX_TEMPLATE_URI_CHARS: Final = 8 * 1024
"""Longest URI that is matched against resource templates: what browsers and servers take at most."""

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
CALL_TIMEOUT_S: Final = 60.0
"""Until a call is answered; each progress notification starts it anew."""
CALL_TIMEOUT_CAP_S: Final = 3600.0
"""The longest that progress can keep one call alive."""
DEADLINE_SWEEP_S: Final = 0.25
"""How often deadlines of calls are looked at: a call may run over by that much."""
DRAIN_TIMEOUT_S: Final = 10.0
"""How long calls in flight may still run after SIGTERM."""
STDIO_EXIT_S: Final = 1.2
"""From end of input to our exit on stdio: clients send SIGTERM after 2 s, and containers must be gone by then."""
STOP_GRACE_S: Final = 2.0
"""Between the steps of stopping a server: stdin closed, SIGTERM, SIGKILL."""

# --- pool -------------------------------------------------------------------------------------------------------

POOL_WARM: Final = 0
"""Spares kept per server. Nothing runs before the first call unless an operator says otherwise."""
POOL_MAX: Final = 20
"""Containers of one server at most; more calls wait for one of them until their deadline."""
POOL_IDLE_S: Final = 60.0
"""After this long without a call, a server's container is stopped."""
POOL_MAX_INFLIGHT: Final = 64
"""Calls in one container at a time; further ones wait."""
PARALLEL_STARTS: Final = 4
"""Containers started at a time, over all servers: an engine starts 3–5 a second, however many are asked for."""
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

# --- sessions ---------------------------------------------------------------------------------------------------

MAX_SESSIONS: Final = 4096
"""Client sessions at a time over the network transports."""
SESSION_IDLE_S: Final = 1800.0
"""A network session with no request and no open stream for this long has been left by its client."""

# --- containers -------------------------------------------------------------------------------------------------

CONTAINER_MEMORY: Final = "2Gb"
"""Memory of one container (Docker's gateway has the same default)."""
CONTAINER_CPUS: Final = 1.0
"""Processors of one container (Docker's gateway has the same default)."""
CONTAINER_PIDS: Final = 512
"""Processes and threads of one container: a browser takes 200, a fork bomb takes all."""

# --- network ----------------------------------------------------------------------------------------------------

DEFAULT_PORT: Final = 8811
"""Port of the network transports (the same as Docker's gateway)."""
MAX_CONNECTIONS: Final = 8192
"""Client connections at a time: a session holds a stream and posts on a second connection. Past it, accept waits."""
LISTEN_BACKLOG: Final = 1024
"""Connections the kernel queues for us while we are busy; an agent opens dozens at once."""
KEEP_ALIVE_S: Final = 75.0
"""An HTTP connection without a request is closed after this long: longer than clients keep theirs in a pool, so that
ours is seldom the side that closes while a request is under way."""
HEAD_BYTES: Final = 16 * 1024
"""Longest request line and headers together."""
SSE_KEEPALIVE_S: Final = 15.0
"""A silent event stream gets a comment this often: proxies cut what is silent for 30 to 60 s."""
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
MIN_SECRET_CHARS: Final = 4
"""Shortest secret that is masked in logs: shorter ones occur in ordinary words."""
