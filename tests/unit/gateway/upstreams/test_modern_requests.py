"""Which requests are modern, and what they say of themselves."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc.messages import Notification, Request
from gateway.mcp import meta
from gateway.upstreams.modern_requests import is_modern, read_modern
from tests.unit.gateway.upstreams.running import modern

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


def test_what_is_repeated_elsewhere_is_read() -> None:
    """As it stands, and nothing else."""
    request = modern(1, "tools/call", name="add", arguments={"a": 1}, other=[1])
    says = read_modern(request)
    assert says is not None
    assert (says.version, says.tool) == ("2026-07-28", "add")
    assert {name: bytes(value) for name, value in says.members.items()} == {
        "name": b'"add"',
        "arguments": b'{"a":1}',
    }
    assert meta.CAPABILITIES in says.meta


@pytest.mark.parametrize("params", [None, b"{}", b"[]", b'{"_meta":1}', b'{"_meta":{"a":1}}'])
def test_others_are_legacy(params: bytes | None) -> None:
    """As are all messages that are no requests."""
    raw = None if params is None else msgspec.Raw(params)
    assert not is_modern(Request(1, "tools/call", raw))
    assert not is_modern(Notification("x", modern(1, "x").params))


@given(JSON, JSON, JSON)
def test_the_era_is_that_of_the_version(version: object, name: object, arguments: object) -> None:
    """A text there, and the request is modern, whatever else it holds."""
    params = {"_meta": {meta.VERSION: version}, "name": name, "arguments": arguments}
    request = Request(1, "tools/call", msgspec.Raw(msgspec.json.encode(params)))
    says = read_modern(request)
    assert (says is not None) is isinstance(version, str)
    assert says is None or says.tool == (name if isinstance(name, str) else None)
