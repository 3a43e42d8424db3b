"""Reads what a running server offers: all of its lists, as far as the bounds allow. Must not know who wants them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import trio

from actors.upstream import Upstream
from gateway import limits
from gateway.errors import ProtocolFault, TooSlow
from gateway.jsonrpc import codec
from gateway.mcp import capabilities, listing
from gateway.mcp.listing import KINDS, Item, Kind, ServerLists
from gateway.telemetry.log import get_logger

log = get_logger("listing")


async def read_lists(upstream: Upstream) -> ServerLists:
    """Reads all lists that the server says it has, every page of them.

    Raises:
        Gone, TooSlow, ProtocolFault
    """
    hello = upstream.hello
    if hello is None:
        raise ProtocolFault(f"server {upstream.server} was asked for lists before its handshake")
    lists: dict[Kind, tuple[Item, ...]] = {}
    with trio.move_on_after(limits.LISTS_TIMEOUT_S) as patience:
        for kind in capabilities.listed_kinds(hello.capabilities):
            lists[kind] = await _read_list(upstream, kind)
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
    )


async def _read_list(upstream: Upstream, kind: Kind) -> tuple[Item, ...]:
    """One list, following its cursors as far as the bounds allow; what is beyond them is left out, and logged.

    A server without templates may refuse that method: an empty list.
    """
    items: list[Item] = []
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
        items += page.items
        size += len(memoryview(result))
        cursor = page.next_cursor or ""
        if cursor in seen:
            break
        if len(items) > limits.MAX_LIST_ITEMS or size > limits.MAX_LIST_BYTES:
            complaints.append("it is too long, the rest is left out")
            break
        seen.add(cursor)
    _complain(upstream.server, kind, complaints)
    return tuple(items[: limits.MAX_LIST_ITEMS])


async def _read_page(upstream: Upstream, kind: Kind, cursor: str) -> msgspec.Raw:
    """One page of a list; the first where the cursor is ""."""
    fields = {"cursor": codec.raw(cursor)} if cursor else {}
    return await upstream.ask(KINDS[kind].method, fields, within_s=limits.LIST_TIMEOUT_S)


def _complain(server: str, kind: Kind, complaints: Sequence[str]) -> None:
    """Logs what is wrong with a list: the first faults by themselves, for there may be thousands."""
    for reason in complaints[: limits.MAX_LIST_COMPLAINTS]:
        log.warning("list_item_skipped", server=server, kind=kind, reason=reason)
    if more := len(complaints[limits.MAX_LIST_COMPLAINTS :]):
        log.warning("list_items_skipped", server=server, kind=kind, more=more)
