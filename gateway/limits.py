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

# --- sessions ---------------------------------------------------------------------------------------------------

MAX_SESSIONS: Final = 4096
"""Client sessions at a time over the network transports."""
SESSION_IDLE_S: Final = 1800.0
"""A network session with no request and no open stream for this long has been left by its client."""

# --- containers -------------------------------------------------------------------------------------------------

CONTAINER_MEMORY: Final = "2Gb"
"""Memory of one container (Docker's gateway has the same default)."""
MIN_CONTAINER_MEMORY_BYTES: Final = 6 * MIB
"""Least memory that an engine accepts for a container."""
CONTAINER_CPUS: Final = 1.0
"""Processors of one container (Docker's gateway has the same default)."""
CONTAINER_PIDS: Final = 512
"""Processes and threads of one container: a browser takes 200, a fork bomb takes all."""

# --- network ----------------------------------------------------------------------------------------------------

DEFAULT_PORT: Final = 8811
"""Port of the network transports (the same as Docker's gateway)."""

# --- catalogs ---------------------------------------------------------------------------------------------------

MAX_DOCUMENT_BYTES: Final = 16 * MIB
"""Longest catalog or config file. The public catalog of 328 servers has 2 MB."""
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
