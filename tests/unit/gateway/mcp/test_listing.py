"""Pages of servers are read kindly, and written strictly."""

import json

import msgspec
import pytest

from gateway.errors import ProtocolFault
from gateway.limits import MAX_LIST_BYTES, MAX_LIST_ITEMS
from gateway.mcp.listing import (
    KINDS,
    Item,
    Kind,
    ServerLists,
    dump_lists,
    list_result,
    load_lists,
    parse_page,
)
from gateway.mcp.params import pack

Raw = msgspec.Raw
DEEP = b"[" * 99_999


def page_of(kind: Kind, *items: bytes) -> tuple[list[bytes], tuple[str, ...]]:
    """What is left of these items, and what is said of the others."""
    result = b'{"%b":[%b]}' % (KINDS[kind].result.encode(), b",".join(items))
    page = parse_page(kind, Raw(result))
    return [bytes(pack(item.fields)) for item in page.items], page.skipped


@pytest.mark.parametrize(
    ("kind", "item", "key"),
    [
        ("tools", b'{"name":"a b","inputSchema":{"type":"object"},"_meta":{"x":1},"zz":1.10}', "a b"),
        ("prompts", b'{"name":"p","arguments":[]}', "p"),
        ("resources", b'{"uri":"note://1","name":"One","size":3}', "note://1"),
        ("templates", b'{"uriTemplate":"note://{id}","name":"Notes"}', "note://{id}"),
    ],
)  # fmt: skip
def test_good_items_stay_as_they_are(kind: Kind, item: bytes, key: str) -> None:
    """Every field of them, in its order and writing."""
    page = parse_page(kind, Raw(b'{"%b":[%b]}' % (KINDS[kind].result.encode(), item)))
    assert [(found.key, bytes(pack(found.fields))) for found in page.items] == [(key, item)]
    assert page.skipped == ()


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("tools", b"3"),
        ("tools", b"null"),
        ("tools", b"{}"),
        ("tools", b'{"name":""}'),
        ("tools", b'{"name":3,"inputSchema":{"type":"object"}}'),
        ("tools", b'{"name":null}'),
        ("tools", b'{"name":"t","inputSchema":[]}'),
        ("tools", b'{"name":"t","inputSchema":true}'),
        ("tools", b'{"name":"t","inputSchema":{"type":"array"}}'),
        ("tools", b'{"name":"t","inputSchema":{"type":["object"]}}'),
        ("prompts", b'{"title":"x"}'),
        ("resources", b'{"name":"x"}'),
        ("resources", b'{"uri":"no-scheme","name":"x"}'),
        ("templates", b'{"uri":"x:{y}"}'),
    ],
)
def test_an_item_that_strict_clients_refuse_costs_only_itself(kind: Kind, item: bytes) -> None:
    """The others are shown, and what is missing is said."""
    good = {
        "tools": b'{"name":"g","inputSchema":{"type":"object"}}',
        "prompts": b'{"name":"g"}',
        "resources": b'{"uri":"g:1","name":"g"}',
        "templates": b'{"uriTemplate":"g:{x}","name":"g"}',
    }[kind]
    items, skipped = page_of(kind, item, good)
    assert items == [good]
    assert len(skipped) == 1
    assert skipped[0].startswith(f"{KINDS[kind].result}[0]: ")


@pytest.mark.parametrize(
    ("kind", "item", "mended"),
    [
        ("tools", b'{"name":"t"}', b'{"name":"t","inputSchema":{"type":"object"}}'),
        ("tools", b'{"name":"t","inputSchema":null}', b'{"name":"t","inputSchema":{"type":"object"}}'),
        ("tools", b'{"name":"t","inputSchema":{"required":["a"]},"x":1}', b'{"name":"t","inputSchema":{"type":"object","required":["a"]},"x":1}'),
        ("tools", b'{"name":"t","title":null,"inputSchema":{"type":"object"}}', b'{"name":"t","inputSchema":{"type":"object"}}'),
        ("resources", b'{"uri":"a:1","name":null}', b'{"uri":"a:1","name":"a:1"}'),
        ("templates", b'{"uriTemplate":"a:{x}"}', b'{"uriTemplate":"a:{x}","name":"a:{x}"}'),
    ],
)  # fmt: skip
def test_what_only_lacks_a_formality_is_mended(kind: Kind, item: bytes, mended: bytes) -> None:
    """Lenient clients could use it without a gateway; all can behind this one."""
    assert page_of(kind, item) == ([mended], ())


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (b"", None),
        (b',"nextCursor":null', None),
        (b',"nextCursor":""', None),
        (b',"nextCursor":3', None),
        (b',"nextCursor":"p2"', "p2"),
    ],
)
def test_the_next_page_is_found_where_there_is_one(cursor: bytes, expected: str | None) -> None:
    """Servers have several ways to say that there is none."""
    assert parse_page("tools", Raw(b'{"tools":[]%b}' % cursor)).next_cursor == expected


@pytest.mark.parametrize(
    "result", [b"null", b"[]", b"{}", b'{"tools":{}}', b'{"tools":null}', b'{"tools":' + DEEP]
)
def test_a_result_without_a_list_is_the_servers_fault(result: bytes) -> None:
    """It says which method was answered so."""
    with pytest.raises(ProtocolFault, match="tools/list"):
        parse_page("tools", Raw(result))


def test_a_list_is_written_with_a_cursor_where_it_goes_on() -> None:
    """No null on the last page: some clients refuse that."""
    assert json.loads(bytes(list_result("templates", [Raw(b"{}")]))) == {"resourceTemplates": [{}]}
    assert json.loads(bytes(list_result("tools", [], "c"))) == {"tools": [], "nextCursor": "c"}


LISTS = ServerLists(
    version="2025-11-25",
    capabilities={"tools": Raw(b'{"listChanged":true}')},
    server_info=Raw(b'{"name":"s"}'),
    instructions="Do.",
    tools=(Item("t", {"name": Raw(b'"t"'), "n": Raw(b"1.10")}),),
    prompts=(Item("p", {"name": Raw(b'"p"')}),),
    resources=(Item("r:1", {"uri": Raw(b'"r:1"')}),),
    templates=(Item("r:{x}", {"uriTemplate": Raw(b'"r:{x}"')}),),
)


def test_stored_lists_come_back_as_they_were() -> None:
    """Unknown fields and the writing of numbers included."""
    assert load_lists(dump_lists(LISTS)) == LISTS


@pytest.mark.parametrize(("kind", "key"), [("tools", "t"), ("prompts", "p"), ("resources", "r:1"), ("templates", "r:{x}")])  # fmt: skip
def test_each_list_is_found_by_its_kind(kind: Kind, key: str) -> None:
    """The same names everywhere."""
    assert [item.key for item in LISTS.items(kind)] == [key]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"null",
        b'{"format":1}',
        b'{"format":0,"lists":' + msgspec.json.encode(LISTS) + b"}",
        dump_lists(LISTS)[:-3],
        dump_lists(LISTS).replace(b'"t"', b"3", 1),
        dump_lists(LISTS).replace(b"Do.", b"D\xff."),
        b'{"format":1,"lists":' + DEEP,
    ],
)
def test_damaged_or_foreign_stored_lists_are_refused(stored: bytes) -> None:
    """The server is asked anew; nobody sees half a list."""
    with pytest.raises(ProtocolFault, match="stored lists"):
        load_lists(stored)


def test_a_page_of_too_many_items_is_cut() -> None:
    """A server with so many tools is broken or hostile; merging them would hold up everybody."""
    good = b'{"name":"a","inputSchema":{"type":"object"}}'
    items, skipped = page_of("tools", *([good] * (MAX_LIST_ITEMS + 5)))
    assert len(items) == MAX_LIST_ITEMS
    assert skipped == (f"tools: more than {MAX_LIST_ITEMS} items",)


def test_a_page_that_is_too_long_is_refused() -> None:
    """Before it falls into millions of pieces."""
    with pytest.raises(ProtocolFault, match="more than"):
        parse_page("tools", Raw(b'{"tools":[' + b"0," * (MAX_LIST_BYTES // 2) + b"0]}"))
