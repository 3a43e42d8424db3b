"""What servers can be asked for, and what clients are promised."""

import msgspec
import pytest

from gateway.mcp.capabilities import (
    client_to_legacy,
    client_to_modern,
    listed_kinds,
    offered,
    offered_modern,
)

Raw = msgspec.Raw

EMPTY = Raw(b"{}")


def test_a_server_is_asked_only_for_lists_it_announced() -> None:
    """Templates come with resources."""
    assert listed_kinds({}) == ()
    assert listed_kinds({"tools": EMPTY, "logging": EMPTY}) == ("tools",)
    assert listed_kinds({"resources": EMPTY, "prompts": EMPTY}) == (
        "prompts",
        "resources",
        "templates",
    )


def test_lists_that_change_are_offered_even_with_no_servers() -> None:
    """Servers may come while a client is connected; capabilities cannot."""
    offer = {name: bytes(value) for name, value in offered([]).items()}
    assert offer == {
        "logging": b"{}",
        "prompts": b'{"listChanged":true}',
        "resources": b'{"listChanged":true}',
        "tools": b'{"listChanged":true}',
    }


def test_completions_are_offered_where_a_server_has_them() -> None:
    """One is enough."""
    assert "completions" not in offered([{"tools": EMPTY}])
    assert "completions" in offered([{"tools": EMPTY}, {"completions": EMPTY}])


def test_modern_clients_are_offered_subscriptions_and_extensions() -> None:
    """The same for everybody."""
    offer = offered_modern([{"completions": Raw(b"{}")}, {"extensions": Raw(b'{"a/b":{}}')}])
    assert {name: bytes(value) for name, value in offer.items()} == {
        "logging": b"{}",
        "prompts": b'{"listChanged":true}',
        "resources": b'{"listChanged":true,"subscribe":true}',
        "tools": b'{"listChanged":true}',
        "completions": b"{}",
        "extensions": b'{"a/b":{}}',
    }
    assert "extensions" not in offered_modern([])


def test_a_legacy_client_is_introduced_to_a_modern_server() -> None:
    """It holds no tasks there, and its roots never change."""
    said = client_to_modern(
        {"tasks": Raw(b"{}"), "roots": Raw(b'{"listChanged":true}'), "x": Raw(b"1")}
    )
    assert said == {"roots": Raw(b"{}"), "x": Raw(b"1")}
    assert client_to_modern({}) == {}


@pytest.mark.parametrize(
    ("version", "elicitation", "said"),
    [
        ("2025-11-25", b'{"url":{}}', b'{"url":{}}'),
        ("2025-06-18", b"{}", b"{}"),
        ("2025-06-18", b'{"form":{},"url":{}}', b"{}"),
        ("2025-06-18", b'{"url":{}}', None),
        ("2025-06-18", b"3", b"{}"),
        ("2025-06-18", None, None),
        ("2025-03-26", b"{}", None),
        ("nonsense", b"{}", None),
    ],
)
def test_a_client_is_introduced_to_a_server_of_a_revision(
    version: str, elicitation: bytes | None, said: bytes | None
) -> None:
    """Without what that revision does not have."""
    declared = {"sampling": Raw(b"{}"), "tasks": Raw(b"{}")}
    if elicitation is not None:
        declared["elicitation"] = Raw(elicitation)
    told = client_to_legacy(declared, version)
    assert told.get("elicitation") == (None if said is None else Raw(said))
    assert "sampling" in told
    assert ("tasks" in told) is (version == "2025-11-25")
