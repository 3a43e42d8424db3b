"""What no gateway can do between the eras, scenario by scenario: the clause that says so, and what a user sees instead.

Only crossed runs have such: where client and server are of one era, everything passes. `docs/protocol.md` shows this
table. A scenario that stands here and passes is a failure too: then the table is wrong.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Impossible(msgspec.Struct, frozen=True):
    """A scenario that cannot pass: `clause` of the specification, and what is there `instead`."""

    clause: str
    instead: str


LEGACY_SERVER: Final = {
    "input-required-result-basic-elicitation": Impossible(
        clause="2025-11-25, client features, Elicitation: `elicitation/create` has no member that names a question",
        instead="The scenario looks for the name `user_name`. The question is there, called `question1`; the answer under that name reaches the server.",
    ),
}
"""2026-07-28 wanted of a server of 2025-11-25."""

IMPOSSIBLE: Final = {("legacy_only", "2026-07-28"): LEGACY_SERVER}
"""By fixture and requirements."""
