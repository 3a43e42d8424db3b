"""The four lists: tools, prompts, resources, resource templates. Must not know who asks, nor under which names.

An item's fields stay `Raw`. What strict clients would refuse is mended or left out here, at the door: they refuse a
whole list for one bad item, and behind a gateway that list holds the items of every other server.

Source: MCP 2025-11-25, server features, "Tools", "Prompts", "Resources"; utilities, "Pagination".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from gateway.errors import ProtocolFault
from gateway.limits import MAX_LIST_BYTES, MAX_LIST_ITEMS
from gateway.mcp.cache_hints import CacheHint, cache_hint
from gateway.mcp.params import Fields, pack
from gateway.mcp.spoken import UNASKED, Spoken

Kind = Literal["tools", "prompts", "resources", "templates"]
"""A list."""


class KindRow(msgspec.Struct, frozen=True):
    """The names of one list on the wire: its method, the field of its results, and the field that tells items apart."""

    method: str
    result: str
    key: str


KINDS: Final[dict[Kind, KindRow]] = {
    "tools": KindRow("tools/list", "tools", "name"),
    "prompts": KindRow("prompts/list", "prompts", "name"),
    "resources": KindRow("resources/list", "resources", "uri"),
    "templates": KindRow("resources/templates/list", "resourceTemplates", "uriTemplate"),
}
"""All lists."""


LIST_METHODS: Final[Mapping[str, Kind]] = {row.method: kind for kind, row in KINDS.items()}
"""The kind of list that each list method answers."""


class Item(msgspec.Struct, frozen=True):
    """One tool, prompt, resource or template. `key` is what it is called by, and also stands in `fields`."""

    key: str
    fields: Fields


class Page(msgspec.Struct, frozen=True):
    """One page of a server's list. `next_cursor` is None on the last one; `skipped` says what was left out, and why.

    `hint`: for how long it may be kept, as far as its server says so.
    """

    items: tuple[Item, ...]
    next_cursor: str | None = None
    skipped: tuple[str, ...] = ()
    hint: CacheHint = CacheHint()


class ServerLists(msgspec.Struct, frozen=True, kw_only=True):
    """All that one server showed of itself: what a cache keeps, so that lists are answered without starting it.

    `version` is the revision in which it was asked, `spoken` what is known of the eras that it speaks.
    """

    version: str
    capabilities: dict[str, msgspec.Raw]
    server_info: msgspec.Raw
    spoken: Spoken = UNASKED
    instructions: str = ""
    tools: tuple[Item, ...] = ()
    prompts: tuple[Item, ...] = ()
    resources: tuple[Item, ...] = ()
    templates: tuple[Item, ...] = ()
    hints: dict[Kind, CacheHint] = msgspec.field(default_factory=dict)

    def items(self, kind: Kind) -> tuple[Item, ...]:
        """The items of that list, in the server's order."""
        lists: dict[Kind, tuple[Item, ...]] = {
            "tools": self.tools,
            "prompts": self.prompts,
            "resources": self.resources,
            "templates": self.templates,
        }
        return lists[kind]


class _Versioned(msgspec.Struct):
    """The part that all formats share."""

    format: int


class _Stored(msgspec.Struct):
    """The form in which lists are kept. `format` grows whenever older readers would misread it."""

    format: int
    lists: ServerLists


_FORMAT: Final = 1
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NULL: Final = b"null"
_TYPED_OBJECT: Final = b'"object"'
_SHOWN_CHARS: Final = 80
"""Of an item's key in a note: it may be anything, and any length."""

_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_format = msgspec.json.Decoder(_Versioned).decode
_decode_stored = msgspec.json.Decoder(_Stored).decode
_encode = msgspec.json.Encoder().encode


class _Unusable(Exception):
    """Why an item cannot be shown to anybody."""


def parse_page(kind: Kind, result: msgspec.Raw) -> Page:
    """Reads one page of a server's list; an item that cannot be used costs only itself.

    Of more than `limits.MAX_LIST_ITEMS` items the others are left out.

    Raises:
        ProtocolFault: the result holds no such list, or is too long to be taken apart.
    """
    row = KINDS[kind]
    if len(memoryview(result)) > MAX_LIST_BYTES:
        raise ProtocolFault(
            f"The server answered {row.method} with more than {MAX_LIST_BYTES} bytes."
        )
    try:
        members = _decode_fields(result)
        raw_items = _decode_items(members[row.result])
    except (KeyError, msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault(
            f'The server answered {row.method} without a list of "{row.result}".'
        ) from error
    items: list[Item] = []
    skipped: list[str] = []
    for position, raw in enumerate(raw_items[:MAX_LIST_ITEMS]):
        try:
            items.append(_read_item(kind, raw))
        except _Unusable as reason:
            skipped.append(f"{row.result}[{position}]: {reason}")
    if len(raw_items) > MAX_LIST_ITEMS:
        skipped.append(f"{row.result}: more than {MAX_LIST_ITEMS} items")
    return Page(tuple(items), _next_cursor(members), tuple(skipped), cache_hint(members))


def list_result(
    kind: Kind, items: Sequence[msgspec.Raw], next_cursor: str | None = None
) -> msgspec.Raw:
    """The result that shows these items to a client."""
    members: dict[str, object] = {KINDS[kind].result: items}
    if next_cursor is not None:
        members["nextCursor"] = next_cursor
    return msgspec.Raw(_encode(members))


def dump_lists(lists: ServerLists) -> bytes:
    """The lists as JSON, to be kept."""
    return _encode(_Stored(_FORMAT, lists))


def load_lists(stored: bytes) -> ServerLists:
    """The lists that `dump_lists` wrote.

    Raises:
        ProtocolFault: they are damaged, or of another release's format; ask the server anew.
    """
    try:
        form = _decode_format(stored).format
        read = _decode_stored(stored) if form == _FORMAT else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolFault("The stored lists of this server are damaged.") from error
    if read is None:
        whose = "a newer" if form > _FORMAT else "an older"
        raise ProtocolFault(
            f"The stored lists were written by {whose} mcpgw; they are read anew from the server."
        )
    return read.lists


def _next_cursor(members: Fields) -> str | None:
    """The cursor of the next page. Servers write "" and null for none as well; what is no string leads nowhere."""
    try:
        return _decode_text(members["nextCursor"]) or None
    except (KeyError, msgspec.DecodeError):
        return None


def _read_item(kind: Kind, raw: msgspec.Raw) -> Item:
    try:
        members = _decode_fields(raw)
    except (msgspec.DecodeError, RecursionError):
        raise _Unusable("it is no object") from None
    # Servers write null for what they leave out; the schema allows it nowhere on an item, and some clients refuse it.
    members = {name: value for name, value in members.items() if bytes(value) != _NULL}
    key_field = KINDS[kind].key
    key = _text(members, key_field)
    if key is None:
        raise _Unusable(f'its "{key_field}" is no text')
    if kind == "resources" and not _URI.match(key):
        raise _Unusable(f"its uri {key[:_SHOWN_CHARS]!r} has no scheme")
    if kind == "tools":
        members["inputSchema"] = _input_schema(key, members.get("inputSchema"))
    elif _text(members, "name") is None:
        members["name"] = members[key_field]
    return Item(key, members)


def _text(members: Fields, name: str) -> str | None:
    try:
        return _decode_text(members[name]) or None
    except (KeyError, msgspec.DecodeError):
        return None


def _input_schema(tool: str, raw: msgspec.Raw | None) -> msgspec.Raw:
    """The tool's input schema, completed where it does not say that it is an object's."""
    try:
        schema = {} if raw is None else _decode_fields(raw)
    except (msgspec.DecodeError, RecursionError):
        schema = {"type": msgspec.Raw(_NULL)}
    if "type" not in schema:
        return pack({"type": msgspec.Raw(_TYPED_OBJECT), **schema})
    if raw is None or bytes(schema["type"]) != _TYPED_OBJECT:
        raise _Unusable(f"tool {tool[:_SHOWN_CHARS]!r} has an inputSchema that is no object's")
    return raw
