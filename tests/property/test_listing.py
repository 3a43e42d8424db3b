"""No answer of a server breaks the reading of its lists, and stored lists come back."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import InvalidParams, ProtocolFault
from gateway.mcp.cursors import decode_cursor, encode_cursor
from gateway.mcp.listing import (
    KINDS,
    Kind,
    ServerLists,
    dump_lists,
    list_result,
    load_lists,
    parse_page,
)
from gateway.mcp.params import pack
from tests.property.strategies import json_objects, json_values, raw_objects, raw_values

kinds: st.SearchStrategy[Kind] = st.sampled_from(list(KINDS))
_schemas = json_values | st.just({"type": "object"})
_items = json_objects | st.fixed_dictionaries(
    {},
    optional={
        "name": json_values,
        "uri": st.text().map("x:{}".format),
        "uriTemplate": st.text(),
        "inputSchema": _schemas,
        "other": json_values,
    },
)


@given(kinds, raw_values)
def test_any_result_is_a_page_or_the_servers_fault(kind: Kind, result: msgspec.Raw) -> None:
    """There is no third way out."""
    with contextlib.suppress(ProtocolFault):
        parse_page(kind, result)


@given(kinds, st.lists(_items | json_values, max_size=6))
def test_every_item_is_kept_or_accounted_for(kind: Kind, items: list[object]) -> None:
    """What is kept has a key, what clients need, and every field that came, nulls aside."""
    row = KINDS[kind]
    page = parse_page(kind, msgspec.Raw(json.dumps({row.result: items}).encode()))
    assert len(page.items) + len(page.skipped) == len(items)
    came = [json.dumps(item) for item in items if isinstance(item, dict)]
    for item in page.items:
        shown = json.loads(bytes(pack(item.fields)))
        assert shown[row.key] == item.key
        if kind == "tools":
            assert shown["inputSchema"]["type"] == "object"
        assert any(_shows(shown, json.loads(origin)) for origin in came)


def _shows(shown: dict[str, object], origin: dict[str, object]) -> bool:
    """Whether every field of `origin` that is not null, and was not mended, is shown as it is."""
    mended = {"inputSchema", "name"}
    return all(
        shown.get(key) == value or key in mended
        for key, value in origin.items()
        if value is not None
    )


@given(kinds, st.lists(_items, max_size=6))
def test_a_page_that_we_write_reads_the_same(kind: Kind, items: list[object]) -> None:
    """What was mended once needs no mending again."""
    row = KINDS[kind]
    page = parse_page(kind, msgspec.Raw(json.dumps({row.result: items}).encode()))
    again = parse_page(kind, list_result(kind, [pack(item.fields) for item in page.items]))
    assert again.items == page.items
    assert again.skipped == ()


@given(raw_objects, st.lists(_items, max_size=6), st.text())
def test_stored_lists_come_back(info: msgspec.Raw, items: list[object], text: str) -> None:
    """Byte for byte."""
    tools = parse_page("tools", msgspec.Raw(json.dumps({"tools": items}).encode())).items
    lists = ServerLists(
        version="2025-11-25",
        capabilities={text: info},
        server_info=info,
        instructions=text,
        tools=tools,
    )
    assert load_lists(dump_lists(lists)) == lists


@given(st.binary())
def test_any_bytes_are_stored_lists_or_refused(stored: bytes) -> None:
    """A damaged cache costs a start, nothing more."""
    with contextlib.suppress(ProtocolFault):
        load_lists(stored)


@given(st.integers(0, 2**40), st.text("0123456789abcdef", min_size=1), st.text())
def test_a_cursor_leads_back_and_other_texts_do_not(
    offset: int, fingerprint: str, other: str
) -> None:
    """Only what we wrote is read."""
    cursor = encode_cursor(offset, fingerprint)
    assert decode_cursor(cursor, fingerprint) == offset
    try:
        start = decode_cursor(other, fingerprint)
    except InvalidParams:
        pass
    else:
        assert encode_cursor(start, fingerprint) == other


_fingerprints = st.text("0123456789abcdef", min_size=1)


@given(st.integers(0, 2**40), _fingerprints, _fingerprints)
def test_a_cursor_is_good_for_one_list(offset: int, fingerprint: str, other: str) -> None:
    """Once the list has changed, pages of the old one would miss items, or show them twice."""
    assume(fingerprint != other)
    with pytest.raises(InvalidParams):
        decode_cursor(encode_cursor(offset, other), fingerprint)
