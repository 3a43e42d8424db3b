"""Where an exposed name leads, and what clients are shown: all servers' lists as one. Pure.

Must not know which servers run, nor who asks. A `Directory` is built anew whenever the servers or their lists change,
and never changes itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

import msgspec
from msgspec import structs

from gateway.errors import UnknownTarget
from gateway.limits import LIST_PAGE_ITEMS, MAX_INSTRUCTIONS_CHARS
from gateway.mcp.cache_hints import CacheHint, merged_hint
from gateway.mcp.capabilities import offered, offered_modern
from gateway.mcp.cursors import decode_cursor, encode_cursor
from gateway.mcp.listing import KINDS, Item, Kind, ServerLists, list_result
from gateway.mcp.naming import SEPARATOR, Exposure, NameMode, Offer, expose, first_wins
from gateway.mcp.params import pack, with_text
from gateway.mcp.schema_compat import simplified_tool
from gateway.mcp.uri_templates import UriTemplate, parse_template
from gateway.ports import Route
from gateway.quoting import QUOTED_CHARS, quoted

RESOURCE_NOT_FOUND = -32002
"""MCP 2025-11-25, resources, "Error Handling"."""
_SUGGESTIONS = 3
"""Names suggested at most."""
_COMPARED_NAMES = 200
"""Names looked at for a suggestion: 1000 similar ones take 13 ms, in which nobody else is served."""
_FINGERPRINT_BYTES = 12
"""Enough that two states of one list are never taken for each other."""


class Offering(msgspec.Struct, frozen=True, kw_only=True):
    """One server's share: its lists, the prefix that its entry forces, the upstream tools let through (None: all)."""

    server: str
    lists: ServerLists
    prefix: str = ""
    allowed_tools: frozenset[str] | None = None


class _Shelf(msgspec.Struct, frozen=True):
    """One merged list: its items as clients see them, and where each exposed name or URI leads."""

    items: tuple[msgspec.Raw, ...]
    routes: Mapping[str, Route]
    notes: tuple[str, ...]
    fingerprint: str


class Directory:
    """All that clients see of the servers behind the gateway. Immutable; made by `build_directory`."""

    def __init__(
        self,
        shelves: Mapping[Kind, _Shelf],
        capabilities: Mapping[str, msgspec.Raw],
        modern_capabilities: Mapping[str, msgspec.Raw],
        instructions: str,
        hints: Mapping[Kind, CacheHint],
    ) -> None:
        self._shelves = shelves
        self._capabilities = capabilities
        self._modern_capabilities = modern_capabilities
        self._instructions = instructions
        self._hints = hints
        # Most specific first, so that the first match is the best one.
        self._templates: Sequence[tuple[UriTemplate, str]] = sorted(
            (
                (parse_template(template), route.server)
                for template, route in shelves["templates"].routes.items()
            ),
            key=lambda row: -row[0].literal_chars,
        )

    def __repr__(self) -> str:
        """Tells how long each list is."""
        sizes = ", ".join(f"{len(shelf.items)} {kind}" for kind, shelf in self._shelves.items())
        return f"<Directory of {sizes}>"

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the operator: which names are hidden, and by what."""
        return tuple(note for shelf in self._shelves.values() for note in shelf.notes)

    def items(self, kind: Kind) -> tuple[msgspec.Raw, ...]:
        """The items of that list as clients see them: servers in catalog order, each one's items by name."""
        return self._shelves[kind].items

    def fingerprint(self, kind: Kind) -> str:
        """A digest of that list; it changes when, and only when, clients would see a difference."""
        return self._shelves[kind].fingerprint

    def page(self, kind: Kind, cursor: str | None = None) -> msgspec.Raw:
        """The result of a list request.

        Raises:
            InvalidParams: the cursor is not one of this state of the list.
        """
        shelf = self._shelves[kind]
        start = 0 if cursor is None else decode_cursor(cursor, shelf.fingerprint)
        end = start + LIST_PAGE_ITEMS
        following = encode_cursor(end, shelf.fingerprint) if end < len(shelf.items) else None
        return list_result(kind, shelf.items[start:end], following)

    def hint(self, kind: Kind) -> CacheHint:
        """For how long a page of that list may be kept, and by whom."""
        return self._hints[kind]

    def capabilities(self) -> Mapping[str, msgspec.Raw]:
        """The capabilities shown to a client at `initialize`."""
        return self._capabilities

    def modern_capabilities(self) -> Mapping[str, msgspec.Raw]:
        """The capabilities shown by `server/discover`."""
        return self._modern_capabilities

    def instructions(self) -> str:
        """The servers' instructions, each under its server's name; "" where none has any."""
        return self._instructions

    def tool(self, name: str) -> Route:
        """Where the tool of that exposed name is.

        Raises:
            UnknownTarget: no tool of that name is exposed (-32602).
        """
        return self._named("tools", "tool", name)

    def prompt(self, name: str) -> Route:
        """Where the prompt of that exposed name is.

        Raises:
            UnknownTarget: no prompt of that name is exposed (-32602).
        """
        return self._named("prompts", "prompt", name)

    def resource(self, uri: str) -> Route:
        """Who has the resource: the server that lists the URI, else the one with the most specific template for it.

        Raises:
            UnknownTarget: nobody lists it, and no template matches (-32002, with the URI as data).
        """
        route = self._shelves["resources"].routes.get(uri)
        if route is not None:
            return route
        for template, server in self._templates:
            if template.matches(uri):
                return Route(server, uri)
        raise UnknownTarget(
            f"No resource has the URI {quoted(uri)}; see resources/list.",
            code=RESOURCE_NOT_FOUND,
            data={"uri": uri},
        )

    def template(self, uri_template: str) -> Route:
        """Who has that resource template, or a resource of that very URI (a completion's `ref` may name either).

        Raises:
            UnknownTarget: nobody does (-32602).
        """
        route = self._shelves["templates"].routes.get(uri_template)
        if route is None:
            route = self._shelves["resources"].routes.get(uri_template)
        if route is None:
            raise UnknownTarget(f"No resource template is {quoted(uri_template)}.")
        return route

    def _named(self, kind: Kind, noun: str, name: str) -> Route:
        routes = self._shelves[kind].routes
        route = routes.get(name)
        if route is None:
            raise UnknownTarget(f"No {noun} is named {quoted(name)}{_suggestion(name, routes)}")
        return route


def build_directory(
    servers: Sequence[Offering], *, names: NameMode, schema_compat: bool = False
) -> Directory:
    """Merges the lists of these servers, which come in catalog order.

    `schema_compat`: clients are shown the tools' schemas in words that every client knows.
    """
    if schema_compat:
        servers = [_with_simple_schemas(server) for server in servers]
    shelves: dict[Kind, _Shelf] = {kind: _build_shelf(kind, servers, names) for kind in KINDS}
    known = [server.lists.capabilities for server in servers]
    instructions = _merge_instructions(
        (server.server, server.lists.instructions.strip()) for server in servers
    )
    hints = {
        kind: merged_hint(server.lists.hints.get(kind, CacheHint()) for server in servers)
        for kind in KINDS
    }
    return Directory(shelves, offered(known), offered_modern(known), instructions, hints)


def _with_simple_schemas(server: Offering) -> Offering:
    tools = tuple(Item(tool.key, simplified_tool(tool.fields)) for tool in server.lists.tools)
    return structs.replace(server, lists=structs.replace(server.lists, tools=tools))


def _build_shelf(kind: Kind, servers: Sequence[Offering], names: NameMode) -> _Shelf:
    by_name = kind in {"tools", "prompts"}
    owned: dict[tuple[str, str], Item] = {}
    offers: list[Offer] = []
    for server in servers:
        items = _visible(kind, server)
        # Sorted: many servers list in a new order each time, which is no change that a client should hear of.
        offers.append(
            Offer(server.server, tuple(sorted(item.key for item in items)), server.prefix)
        )
        for item in items:
            owned.setdefault((server.server, item.key), item)
    exposure: Exposure = expose(offers, names) if by_name else first_wins(offers)
    shown: list[msgspec.Raw] = []
    for exposed, origin in exposure.names.items():
        fields = owned[origin].fields
        shown.append(pack(with_text(fields, "name", exposed) if by_name else fields))
    routes = {exposed: Route(*origin) for exposed, origin in exposure.names.items()}
    return _Shelf(tuple(shown), routes, exposure.notes, _fingerprint(shown))


def _visible(kind: Kind, server: Offering) -> Sequence[Item]:
    items = server.lists.items(kind)
    if kind != "tools" or server.allowed_tools is None:
        return items
    return [item for item in items if item.key in server.allowed_tools]


def _fingerprint(items: Iterable[msgspec.Raw]) -> str:
    digest = hashlib.blake2b(digest_size=_FINGERPRINT_BYTES)
    for item in items:
        digest.update(b"%d:" % len(memoryview(item)))
        digest.update(item)
    return digest.hexdigest()


def _merge_instructions(texts: Iterable[tuple[str, str]]) -> str:
    """One text with a heading per server, cut at the limit."""
    merged = "\n\n".join(f"# {server}\n\n{text}" for server, text in texts if text)
    if len(merged) > MAX_INSTRUCTIONS_CHARS:
        return merged[: MAX_INSTRUCTIONS_CHARS - 1] + "…"
    return merged


def _suggestion(name: str, known: Collection[str]) -> str:
    """The end of the sentence: the name that was probably meant, if there is one; none for a name that is too long to quote."""
    if len(name) > QUOTED_CHARS:
        return "."
    # lazy: needed for this error only
    import difflib  # noqa: PLC0415 -- see above

    # A model that knew the bare name of a tool that has since been prefixed means that one.
    close = [exposed for exposed in known if exposed.endswith(SEPARATOR + name)]
    close = close or difflib.get_close_matches(name, islice(known, _COMPARED_NAMES), n=1)
    return f"; did you mean {' or '.join(map(repr, close[:_SUGGESTIONS]))}?" if close else "."
