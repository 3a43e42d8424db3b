"""What servers can be asked for, and what clients are promised."""

import msgspec

from gateway.mcp.capabilities import listed_kinds, offered

EMPTY = msgspec.Raw(b"{}")


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
