"""Reads what a running server offers: all of its lists, as far as the bounds allow. Must not know who wants them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import trio

from actors.own_requests import ask
from actors.upstream import Upstream
from gateway import limits
from gateway.errors import ProtocolFault, TooSlow
from gateway.jsonrpc import codec
from gateway.mcp import capabilities, listing
from gateway.mcp.cache_hints import CacheHint, merged_hint
from gateway.mcp.listing import KINDS, Item, Kind, ServerLists
from gateway.mcp.param_headers import usable_schema
from gateway.telemetry.log import get_logger
from gateway.telemetry.refusals import refused

log = get_logger("listing")

_SHOWN_CHARS = 80
"""Of a tool's name, in the log."""


async def read_lists(upstream: Upstream) -> ServerLists:
    """Reads all lists that the server says it has, every page of them.

    Raises:
        Gone, TooSlow, ProtocolFault
    """
    hello = upstream.hello
    if hello is None:
        raise ProtocolFault(f"server {upstream.server} was asked for lists before its handshake")
    lists: dict[Kind, tuple[Item, ...]] = {}
    hints: dict[Kind, CacheHint] = {}
    with trio.move_on_after(limits.LISTS_TIMEOUT_S) as patience:
        for kind in capabilities.listed_kinds(hello.capabilities):
            lists[kind], hints[kind] = await _read_list(upstream, kind)
    if patience.cancelled_caught:
        raise TooSlow(
            f"server {upstream.server} did not show all of its lists within {limits.LISTS_TIMEOUT_S:g} s"
        )
    return ServerLists(
        tools=lists.get("tools", ()),
        prompts=lists.get("prompts", ()),
        resources=lists.get("resources", ()),
        templates=lists.get("templates", ()),
        capabilities=hello.capabilities,
        instructions=hello.instructions,
        server_info=hello.server_info,
        version=hello.version,
        hints=hints if upstream.dialect.era == "modern" else {},
    )


async def _read_list(upstream: Upstream, kind: Kind) -> tuple[tuple[Item, ...], CacheHint]:
    """One list, following its cursors as far as the bounds allow; what is beyond them is left out, and logged.

    A server without templates may refuse that method: an empty list.
    """
    items: list[Item] = []
    hints: list[CacheHint] = []
    complaints: list[str] = []
    size = 0
    cursor = ""
    seen = {cursor}
    for _ in range(limits.MAX_LIST_PAGES):
        try:
            result = await _read_page(upstream, kind, cursor)
        except ProtocolFault:
            if kind == "tools" or upstream.ended is not None:
                raise
            log.debug("list_refused", server=upstream.server, kind=kind)
            break
        page = listing.parse_page(kind, result)
        complaints += page.skipped
        items += page.items if kind != "tools" else _callable(upstream, page.items, complaints)
        hints.append(page.hint)
        size += len(memoryview(result))
        cursor = page.next_cursor or ""
        if cursor in seen:
            break
        if len(items) > limits.MAX_LIST_ITEMS or size > limits.MAX_LIST_BYTES:
            many = len(items) > limits.MAX_LIST_ITEMS
            refused("from_servers.MAX_LIST_ITEMS" if many else "from_servers.MAX_LIST_BYTES")
            complaints.append("it is too long, the rest is left out")
            break
        seen.add(cursor)
    else:
        refused("from_servers.MAX_LIST_PAGES")
    _complain(upstream.server, kind, complaints)
    return tuple(items[: limits.MAX_LIST_ITEMS]), merged_hint(hints)


def _callable(upstream: Upstream, tools: Sequence[Item], complaints: list[str]) -> Sequence[Item]:
    """The tools that can be called: modern clients must not show one whose `x-mcp-header` is wrong, and we are one."""
    if upstream.dialect.era == "legacy":
        return tools
    kept = []
    for tool in tools:
        if (reason := usable_schema(tool.fields["inputSchema"])) is None:
            kept.append(tool)
        else:
            complaints.append(f"tool {tool.key[:_SHOWN_CHARS]!r} is left out: {reason}")
    return kept


async def _read_page(upstream: Upstream, kind: Kind, cursor: str) -> msgspec.Raw:
    """One page of a list; the first where the cursor is ""."""
    fields = {"cursor": codec.raw(cursor)} if cursor else {}
    return await ask(upstream, KINDS[kind].method, fields, within_s=limits.LIST_TIMEOUT_S)


def _complain(server: str, kind: Kind, complaints: Sequence[str]) -> None:
    """Logs what is wrong with a list: the first faults by themselves, for there may be thousands."""
    for reason in complaints[: limits.MAX_LIST_COMPLAINTS]:
        log.warning("list_item_skipped", server=server, kind=kind, reason=reason)
    if more := len(complaints[limits.MAX_LIST_COMPLAINTS :]):
        log.warning("list_items_skipped", server=server, kind=kind, more=more)
