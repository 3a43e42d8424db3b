"""Every request and notification of the protocol as a table. Must not know who serves them.

Source: the schema page of each revision; for the tasks extension SEP-2663.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Side = Literal["client", "server", "both"]
"""Who sends it."""
Target = Literal["tool", "prompt", "resource", "ref", "task"]
"""What names the server that is meant: a tool, a prompt, a resource URI, a completion's `ref` to one of these, a task."""

_FIRST: Final = "2024-11-05"
_ELICITATION: Final = "2025-06-18"
_TASKS: Final = "2025-11-25"
_MODERN: Final = "2026-07-28"


class Method(msgspec.Struct, frozen=True):
    """One method. It exists from revision `since` on, and before revision `until` ("" where it still does).

    `target` says what its params name, None where it is not addressed to one server. `modern_sender` is set where the
    modern era took the method from one of two sides: there, servers send no requests, and clients hardly notify.
    """

    name: str
    sender: Side
    kind: Literal["request", "notification"] = "request"
    since: str = _FIRST
    until: str = ""
    target: Target | None = None
    modern_sender: Side | None = None

    def exists_in(self, version: str) -> bool:
        """Whether the revision of that name has this method. Revisions are dates, so that they sort by name."""
        return self.since <= version and (not self.until or version < self.until)

    def sent_by(self, side: Literal["client", "server"], version: str) -> bool:
        """Whether that side may send it in that revision."""
        modern = version >= _MODERN and self.modern_sender
        return (modern or self.sender) in (side, "both")


_ROWS: Final = (
    # Lifecycle.
    Method("initialize", "client", until=_MODERN),
    Method("server/discover", "client", since=_MODERN),
    Method("ping", "both", until=_MODERN),
    Method("notifications/initialized", "client", "notification", until=_MODERN),
    Method("notifications/cancelled", "both", "notification"),
    Method("notifications/progress", "both", "notification", modern_sender="server"),
    # Tools.
    Method("tools/list", "client"),
    Method("tools/call", "client", target="tool"),
    Method("notifications/tools/list_changed", "server", "notification"),
    # Prompts.
    Method("prompts/list", "client"),
    Method("prompts/get", "client", target="prompt"),
    Method("notifications/prompts/list_changed", "server", "notification"),
    # Resources.
    Method("resources/list", "client"),
    Method("resources/templates/list", "client"),
    Method("resources/read", "client", target="resource"),
    Method("resources/subscribe", "client", until=_MODERN, target="resource"),
    Method("resources/unsubscribe", "client", until=_MODERN, target="resource"),
    Method("notifications/resources/list_changed", "server", "notification"),
    Method("notifications/resources/updated", "server", "notification"),
    # Utilities.
    Method("completion/complete", "client", target="ref"),
    Method("logging/setLevel", "client", until=_MODERN),
    Method("notifications/message", "server", "notification"),
    Method("subscriptions/listen", "client", since=_MODERN),
    Method("notifications/subscriptions/acknowledged", "server", "notification", since=_MODERN),
    # What servers ask of clients; the modern revision carries these inside results instead.
    Method("sampling/createMessage", "server", until=_MODERN),
    Method("roots/list", "server", until=_MODERN),
    Method("notifications/roots/list_changed", "client", "notification", until=_MODERN),
    Method("elicitation/create", "server", since=_ELICITATION, until=_MODERN),
    Method(
        "notifications/elicitation/complete", "server", "notification", since=_TASKS, until=_MODERN
    ),
    # Tasks: experimental in 2025-11-25, an extension since.
    Method("tasks/get", "both", since=_TASKS, target="task", modern_sender="client"),
    Method("tasks/cancel", "both", since=_TASKS, target="task", modern_sender="client"),
    Method("tasks/result", "both", since=_TASKS, until=_MODERN, target="task"),
    Method("tasks/list", "both", since=_TASKS, until=_MODERN),
    Method("tasks/update", "client", since=_MODERN, target="task"),
    Method("notifications/tasks/status", "both", "notification", since=_TASKS, until=_MODERN),
    Method("notifications/tasks", "server", "notification", since=_MODERN),
)

METHODS: Final = {row.name: row for row in _ROWS}
"""All methods by name."""


def find(name: str, *, version: str, sender: Literal["client", "server"]) -> Method | None:
    """The method of that name, None where `version` does not have it or that side may not send it."""
    row = METHODS.get(name)
    return row if row and row.exists_in(version) and row.sent_by(sender, version) else None


def may_pass(name: str, *, version: str, sender: Literal["client", "server"]) -> bool:
    """Whether a notification is passed on to a peer of that revision: where it has it, or nobody does but an extension."""
    return name not in METHODS or find(name, version=version, sender=sender) is not None
