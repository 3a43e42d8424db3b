"""The lists of servers as files in the cache of the home, one for each server and era. Must not know who asks for lists.

Each is written as a whole. What cannot be read, or is of another format, is as good as nothing: its server is asked anew.
"""

from __future__ import annotations

import trio

from gateway.catalog.model import EnabledServer
from gateway.errors import GatewayError
from gateway.home import Home, write_atomic
from gateway.mcp.listing import ServerLists, dump_lists, load_lists
from gateway.mcp.versions import ERAS, Era
from gateway.telemetry.log import get_logger

log = get_logger("listings")


class ListFiles:
    """The files of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._failed = False
        """Whether the last write failed: a full or read-only disk is told of once."""

    def recall(self, server: EnabledServer) -> dict[Era, ServerLists]:
        """What is kept of a server, by era; blocking."""
        found: dict[Era, ServerLists] = {}
        for era in ERAS:
            try:
                found[era] = load_lists(self._home.lists(server.list_key, era).read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, GatewayError) as error:
                log.warning("list_cache_unreadable", server=server.name, reason=str(error))
        return found

    async def save(self, server: EnabledServer, era: Era, lists: ServerLists) -> bool:
        """Writes lists down; False where the disk does not take them, which costs only the cache."""
        path = self._home.lists(server.list_key, era)
        try:
            await trio.to_thread.run_sync(write_atomic, path, dump_lists(lists))
        except OSError as error:
            if not self._failed:
                log.warning("list_cache_unwritable", server=server.name, reason=str(error))
            self._failed = True
        else:
            self._failed = False
        return not self._failed
