"""Which tools say of themselves that a second execution does no harm."""

from __future__ import annotations

import msgspec
import pytest

from gateway.mcp.harmless import is_harmless


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        (b'{"readOnlyHint":true}', True),
        (b'{"idempotentHint":true}', True),
        (b'{"readOnlyHint":false,"idempotentHint":true,"destructiveHint":true}', True),
        (b'{"readOnlyHint":false,"idempotentHint":false}', False),
        (b'{"title":"Reads"}', False),
        (b"{}", False),
        (b'{"readOnlyHint":"true"}', False),
        (b'{"readOnlyHint":1}', False),
        (b'{"readOnlyHint":null}', False),
        (b"[]", False),
        (b'"readOnlyHint"', False),
    ],
)
def test_annotations(annotations: bytes, *, expected: bool) -> None:
    """Only what is plainly said counts."""
    assert is_harmless({"annotations": msgspec.Raw(annotations)}) is expected


def test_a_tool_without_annotations_may_do_harm() -> None:
    """That is the protocol's own default."""
    assert not is_harmless({})
