"""Which method exists where, and who may send it."""

from typing import Literal

import pytest

from gateway.mcp.methods import METHODS, find, may_pass
from gateway.mcp.versions import VERSIONS

OLD, NEW, MODERN = "2024-11-05", "2025-11-25", "2026-07-28"


@pytest.mark.parametrize(
    ("name", "version", "sender", "exists"),
    [
        ("tools/call", OLD, "client", True),
        ("tools/call", MODERN, "client", True),
        ("tools/call", NEW, "server", False),
        ("initialize", NEW, "client", True),
        ("initialize", MODERN, "client", False),
        ("server/discover", NEW, "client", False),
        ("server/discover", MODERN, "client", True),
        ("ping", NEW, "server", True),
        ("ping", NEW, "client", True),
        ("elicitation/create", OLD, "server", False),
        ("elicitation/create", "2025-06-18", "server", True),
        ("tasks/get", "2025-06-18", "client", False),
        ("tasks/get", NEW, "server", True),
        ("tasks/get", MODERN, "client", True),
        ("tasks/get", MODERN, "server", False),
        ("tasks/result", MODERN, "client", False),
        ("tasks/update", MODERN, "client", True),
        ("notifications/progress", NEW, "client", True),
        ("notifications/progress", MODERN, "client", False),
        ("notifications/progress", MODERN, "server", True),
        ("notifications/cancelled", MODERN, "server", True),
        ("elicitation/create", MODERN, "server", False),
        ("ping", MODERN, "client", False),
        ("tools/destroy", NEW, "client", False),
        ("", NEW, "client", False),
    ],
)
def test_a_method_is_found_where_it_exists(
    name: str, version: str, sender: Literal["client", "server"], *, exists: bool
) -> None:
    """Revision and direction both decide."""
    assert (find(name, version=version, sender=sender) is not None) is exists


def test_notifications_are_named_as_such() -> None:
    """The kind of a row and its name agree."""
    for row in METHODS.values():
        assert row.name.startswith("notifications/") == (row.kind == "notification")


def test_rows_name_revisions_that_exist() -> None:
    """A typing error in a date would switch a method on or off for good."""
    names = {row.name for row in VERSIONS}
    for row in METHODS.values():
        assert row.since in names
        assert row.until in names | {""}


def test_methods_that_are_routed_say_by_what() -> None:
    """All others are answered by the gateway itself, or passed to a session's owner."""
    assert {row.name: row.target for row in METHODS.values() if row.target} == {
        "tools/call": "tool",
        "prompts/get": "prompt",
        "resources/read": "resource",
        "resources/subscribe": "resource",
        "resources/unsubscribe": "resource",
        "completion/complete": "ref",
        "tasks/get": "task",
        "tasks/cancel": "task",
        "tasks/result": "task",
        "tasks/update": "task",
    }


def test_a_notification_passes_where_its_receiver_can_know_it() -> None:
    """What no revision has is an extension's, and passes."""
    status = "notifications/tasks/status"
    assert may_pass(status, version="2025-11-25", sender="server")
    assert not may_pass(status, version="2025-06-18", sender="server")
    assert not may_pass("notifications/roots/list_changed", version="2026-07-28", sender="client")
    assert not may_pass("tools/list", version="2025-11-25", sender="server")
    assert may_pass("notifications/vendor/news", version="2024-11-05", sender="server")
