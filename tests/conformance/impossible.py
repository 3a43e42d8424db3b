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

HOLLOW: Final = {
    "server-sse-multiple-streams": "its second check is for event streams; what the gateway can answer at once it answers in JSON, as the specification lets it",
    "server-stateless": "a SHOULD: the fixture says that its prompts have changed when they have not, and the gateway tells of real changes only",
    "input-required-result-ignore-extra-params": "a SHOULD, where the server is of 2025-11-25: the answer is sent under a name that nobody asked for, see above",
    "request-metadata": "three checks look at what is declared in `server/discover`, and are skipped where nothing is: the gateway asks that in its own name, and can do nothing by itself; what its client can do goes along with that client's calls",
}
"""Scenarios that pass with fewer checks than without the gateway, and why."""

IMPOSSIBLE: Final = {("legacy_only", "2026-07-28"): LEGACY_SERVER}
"""By fixture and requirements."""
