"""What was refused because a bound of `gateway.limits` was hit, counted by bound. Must not know who is refused, or how.

Counting costs nothing where nothing is refused: there is no look at a bound that is not hit.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, get_args

Refusal = Literal[
    # from clients
    "from_clients.MAX_FRAME_BYTES",
    "from_clients.MAX_BATCH_BYTES",
    "from_clients.MAX_BATCH_MESSAGES",
    "from_clients.MAX_HELLO_BYTES",
    "from_clients.MAX_SEALED_CHARS",
    "from_clients.HEAD_BYTES",
    "from_clients.HEAD_FIELDS",
    "from_clients.HEAD_TIMEOUT_S",
    "from_clients.BODY_STALL_S",
    "from_clients.MAX_CONNECTIONS",
    "from_clients.MAX_SESSIONS",
    "from_clients.MAX_INFLIGHT_PER_SESSION",
    "from_clients.MAX_STATELESS_CALLS",
    "from_clients.MAX_LISTENERS",
    "from_clients.MAX_SUBSCRIBED_URIS",
    # to clients
    "to_clients.MAX_OUTBOUND_BYTES",
    "to_clients.MAX_OUTBOUND_NOTES_BYTES",
    "to_clients.MAX_LAST_NOTES_BYTES",
    "to_clients.SEND_STALL_S",
    "to_clients.MAX_SERVER_REQUESTS",
    "to_clients.RESUME_KEEP_S",
    # to servers
    "to_servers.MAX_OUTBOUND_BYTES",
    "to_servers.MAX_INFLIGHT_PER_REMOTE",
    "to_servers.PUT_OFF_S",
    "to_servers.CALL_TIMEOUT_S",
    "to_servers.SETTLE_S",
    "to_servers.START_BACKOFF_S",
    "to_servers.INITIALIZE_TIMEOUT_S",
    # from servers
    "from_servers.MAX_FRAME_BYTES",
    "from_servers.MAX_UPSTREAM_BATCH_MESSAGES",
    "from_servers.MAX_LIST_PAGES",
    "from_servers.MAX_LIST_ITEMS",
    "from_servers.MAX_LIST_BYTES",
    "from_servers.MAX_HELLO_BYTES",
    "from_servers.MAX_INPUT_REQUESTS",
    "from_servers.MAX_ROUNDS",
    "from_servers.MAX_REDIRECTS",
    # from either side
    "inside.MAX_WIDE_BYTES",
]
"""Whose traffic was refused, and the bound that it hit."""

REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)

# Like the log, of the whole process: a bound is hit deep inside, where nobody may know who counts.
_counts: Final[Counter[Refusal]] = Counter()


def refused(what: Refusal) -> None:
    """Counts one refusal."""
    _counts[what] += 1


def refusal_counts() -> dict[str, int]:
    """How often each bound was hit since the process began; those that never were are left out."""
    return {name: count for name in REFUSALS if (count := _counts[name])}
