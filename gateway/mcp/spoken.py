"""Which eras a server speaks, as far as that was found out. Pure.

A server that runs speaks one of them: a process is locked to the era of its first request. What was found is kept with
its lists, so that no server is probed twice.

Source: MCP 2026-07-28, basic, "Versioning and Compatibility"; transports, "stdio", "Backward Compatibility".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import structs

from gateway.mcp import versions
from gateway.mcp.versions import Era


class Spoken(msgspec.Struct, frozen=True):
    """What is known of a server: whether it speaks that era, None where it was not asked."""

    legacy: bool | None = None
    modern: bool | None = None

    def era_for(self, client: Era) -> Era:
        """The era in which that client's calls are put to it: the client's own, unless the server lacks it."""
        if client == "modern":
            return "legacy" if self.modern is False else "modern"
        return "modern" if self.legacy is False else "legacy"

    def learn(self, era: Era, *, speaks: bool) -> Spoken:
        """The same, with what was found out about one era."""
        return structs.replace(self, **{era: speaks})

    def merged(self, later: Spoken) -> Spoken:
        """The same, with what is known from later on."""
        return Spoken(
            self.legacy if later.legacy is None else later.legacy,
            self.modern if later.modern is None else later.modern,
        )


UNASKED: Final = Spoken()
"""Nothing is known of the server."""


def era_of(version: str) -> Era:
    """The era of a revision; unknown ones count as legacy."""
    row = versions.find(version)
    return "legacy" if row is None else row.era
