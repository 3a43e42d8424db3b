"""What one client is shown of the lists, and what it has seen of them. Must not know messages or streams."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from actors.listings import Listings
from gateway.errors import UnknownTarget
from gateway.mcp import harmless
from gateway.mcp.listing import KINDS, Kind, ServerLists
from gateway.mcp.targets import Named
from gateway.mcp.versions import Era
from gateway.ports import Route
from gateway.routing import Directory

CHANGE_NOTICES: Final[Mapping[Kind, str]] = {
    "tools": "notifications/tools/list_changed",
    "prompts": "notifications/prompts/list_changed",
    "resources": "notifications/resources/list_changed",
    "templates": "notifications/resources/list_changed",
}

_GAPS_TOLD: Final = 3
"""Servers without lists that an error names: people read it, or models."""


class ClientView:
    """The directory as one client sees it.

    Args:
        listings: what all servers offer.
        era: the client's: items are in its words.
    """

    def __init__(self, listings: Listings, *, era: Era = "legacy") -> None:
        self._listings = listings
        self._era = era
        self._overrides: dict[str, ServerLists] = {}
        """Lists of this client's own containers, where they differ from everybody's."""
        self._own: tuple[Directory, Directory] | None = None
        """The shared directory, and this client's made from it."""
        self._shown: dict[Kind, str] = {}
        """Fingerprints of the lists as the client was last shown, or told to have changed."""

    def complete(self, patience_s: float) -> bool:
        """Whether all lists are known, or known not to be had for now, or late by more than that."""
        return self._listings.complete(patience_s)

    @property
    def directory(self) -> Directory:
        """All that this client is shown."""
        shared = self._listings.directory(self._era)
        if not self._overrides:
            return shared
        if self._own is None or self._own[0] is not shared:
            self._own = (shared, self._listings.directory(self._era, self._overrides))
        return self._own[1]

    def show_all(self) -> Directory:
        """The directory; whatever differs from it later is news."""
        directory = self.directory
        self._shown = {kind: directory.fingerprint(kind) for kind in KINDS}
        return directory

    def page(self, kind: Kind, cursor: str | None) -> msgspec.Raw:
        """One page of a list.

        Raises:
            InvalidParams: the cursor is not one of this state of the list.
        """
        directory = self.directory
        page = directory.page(kind, cursor)
        self._shown[kind] = directory.fingerprint(kind)
        return page

    def news(self, awaited: Collection[str]) -> list[str]:
        """The change notices that are due, once each.

        Args:
            awaited: list methods whose answer is under way: those lists will be shown as they are then.
        """
        directory = self.directory
        notices: dict[str, None] = {}
        for kind, row in KINDS.items():
            fingerprint = directory.fingerprint(kind)
            if self._shown.get(kind) != fingerprint and row.method not in awaited:
                self._shown[kind] = fingerprint
                notices[CHANGE_NOTICES[kind]] = None
        return list(notices)

    def override(self, server: str, lists: ServerLists | None) -> bool:
        """Takes a server's lists as this client's own container has them; None: as everybody's. Whether that is new."""
        if self._overrides.get(server) == lists:
            return False
        if lists is None:
            del self._overrides[server]
        else:
            self._overrides[server] = lists
        self._own = None
        return True

    def route(self, kind: Named, name: str) -> Route:
        """Where an exposed name leads.

        Raises:
            UnknownTarget: nowhere; the text names the servers that may have it and cannot be asked.
        """
        directory = self.directory
        try:
            match kind:
                case "tool":
                    return directory.tool(name)
                case "prompt":
                    return directory.prompt(name)
                case "template":
                    return directory.template(name)
                case _:
                    return directory.resource(name)
        except UnknownTarget as error:
            if missing := self._listings.missing():
                text = f"{error} Not known is what these servers offer: {_shown(missing)}"
                raise UnknownTarget(text, code=error.code, data=error.data) from error
            raise

    def is_harmless(self, method: str, route: Route) -> bool:
        """Whether a request does no harm when it is executed twice, as far as its server says."""
        if method != "tools/call":
            return method in harmless.READING
        lists = self._overrides.get(route.server) or self._listings.lists_of(route.server)
        tools = lists.tools if lists is not None else ()
        return any(tool.key == route.name and harmless.is_harmless(tool.fields) for tool in tools)

    def knows(self, kind: Named, name: str) -> bool:
        """Whether an exposed name leads anywhere yet."""
        try:
            self.route(kind, name)
        except UnknownTarget:
            return False
        return True


def _shown(missing: Mapping[str, str]) -> str:
    """The first of some servers without lists, with their reasons."""
    told = [f"{name} ({reason})" for name, reason in missing.items()][:_GAPS_TOLD]
    return ", ".join([*told, *(["…"] if len(missing) > _GAPS_TOLD else [])])
