"""The protocol revisions as a table: which exist, and what each brought. Must not know how messages travel.

A revision is switched on by `served`. The columns hold what a peer of that revision can be sent.

Source: the changelog page of each revision of the specification.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Era = Literal["legacy", "modern"]
"""Legacy revisions open with `initialize`; the modern one says everything in each request's `_meta`."""

ERAS: Final[tuple[Era, ...]] = ("legacy", "modern")


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One revision.

    `served`: spoken with clients and servers. `batches`: JSON-RPC arrays exist. `sse_transport`: HTTP+SSE with an
    `endpoint` event, instead of one streamable endpoint. `structured_output`: `outputSchema`, `structuredContent`, and
    resource links. `audio`, `progress_message`: content and field of those names. `elicitation`, `url_elicitation`:
    the server may ask the user, by form or by link. `tasks`: calls that are polled for. `icons`: on lists and
    implementations. `version_header`: `MCP-Protocol-Version` on HTTP requests. `primed_streams`: an event stream may
    begin with an event that has an id and no data.
    """

    name: str
    era: Era = "legacy"
    served: bool = True
    batches: bool = False
    sse_transport: bool = False
    audio: bool = True
    progress_message: bool = True
    structured_output: bool = True
    elicitation: bool = True
    url_elicitation: bool = True
    tasks: bool = True
    icons: bool = True
    version_header: bool = True
    primed_streams: bool = False


VERSIONS: Final = (
    Version(name="2026-07-28", era="modern"),
    Version(name="2025-11-25", primed_streams=True),
    Version(name="2025-06-18", url_elicitation=False, tasks=False, icons=False),
    Version(
        name="2025-03-26",
        batches=True,
        structured_output=False,
        elicitation=False,
        url_elicitation=False,
        tasks=False,
        icons=False,
        version_header=False,
    ),
    Version(
        name="2024-11-05",
        sse_transport=True,
        audio=False,
        progress_message=False,
        structured_output=False,
        elicitation=False,
        url_elicitation=False,
        tasks=False,
        icons=False,
        version_header=False,
    ),
)
"""All revisions, newest first."""

LEGACY: Final = tuple(row.name for row in VERSIONS if row.era == "legacy" and row.served)
"""Names of the revisions that `initialize` may settle on, newest first."""

MODERN: Final = tuple(row.name for row in VERSIONS if row.era == "modern" and row.served)
"""Names of the revisions that a request's `_meta` may name, newest first; what `server/discover` lists."""

LATEST: Final = LEGACY[0]
"""What `initialize` proposes to servers, and answers clients that ask for a revision not spoken here."""

NEWEST: Final = MODERN[0]
"""What servers of the modern era are asked with first."""

_BY_NAME: Final = {row.name: row for row in VERSIONS}


def find(name: str) -> Version | None:
    """The revision of that name, None where there is none."""
    return _BY_NAME.get(name)


def known(name: str) -> bool:
    """Whether a revision of that name exists, served or not."""
    return name in _BY_NAME


def negotiate(requested: str) -> str:
    """The revision that answers `initialize`: the requested one where it is served, else the newest that is.

    Source: MCP 2025-11-25, lifecycle, "Version negotiation".
    """
    return requested if requested in LEGACY else LATEST
