"""What a server may ask of a client, crossing eras: requests on a legacy leg, questions within results on a modern one.

Must not know who waits for the answer.

Source: MCP 2026-07-28, client features, "Elicitation", "Sampling", "Roots"; the same pages of 2025-11-25 and 2025-06-18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.jsonrpc.messages import Failure
from gateway.mcp import params, versions
from gateway.mcp.input_required import InputMethod, InputRequest
from gateway.mcp.params import Fields, pack

URL_ELICITATION_CODE: Final = -32042
"""A legacy server's error that asks for links to be opened, and then for the call once more."""

_METHODS: Final[Mapping[str, InputMethod]] = {
    "elicitation/create": "elicitation/create",
    "sampling/createMessage": "sampling/createMessage",
    "roots/list": "roots/list",
}
_ELICITATION_ID: Final = "elicitationId"
_RELATED_TASK: Final = "io.modelcontextprotocol/related-task"
_LEGACY_ONLY: Final = frozenset({_ELICITATION_ID, "task"})
_LEGACY_META: Final = frozenset({"progressToken", _RELATED_TASK})


class _Mode(msgspec.Struct):
    mode: str = "form"


class _Elicitations(msgspec.Struct):
    elicitations: list[Fields]


_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_mode = msgspec.json.Decoder(_Mode).decode
_decode_elicitations = msgspec.json.Decoder(_Elicitations).decode
_encode = msgspec.json.Encoder().encode


def to_modern(method: str, asked: msgspec.Raw | None) -> InputRequest | None:
    """A legacy server's request as a question; None: it is none that a client can be asked.

    Raises:
        InvalidParams: its params are no object.
    """
    if method not in _METHODS:
        return None
    members = {k: v for k, v in params.fields(asked).items() if k not in _LEGACY_ONLY}
    members = _without(members, _LEGACY_META)
    return InputRequest(_METHODS[method], pack(members) if members or asked is not None else None)


def to_legacy(question: InputRequest, *, elicitation_id: str) -> msgspec.Raw | None:
    """The params of the request that puts a modern server's question to a legacy client.

    `elicitation_id`: a fresh one; revisions with links in elicitations want one on each.

    Raises:
        InvalidParams: its params are no object.
    """
    if not _is_url(question):
        return question.params
    members = params.fields(question.params)
    return pack({**members, _ELICITATION_ID: msgspec.Raw(_encode(elicitation_id))})


def from_failure(failure: Failure) -> dict[str, InputRequest] | None:
    """The links that a legacy server wants opened before it is called again, as questions by name; None: it wants none."""
    if failure.code != URL_ELICITATION_CODE or failure.data is None:
        return None
    try:
        asked = _decode_elicitations(failure.data).elicitations
    except (msgspec.DecodeError, RecursionError):
        return None
    url = {"mode": msgspec.Raw(b'"url"')}
    questions = {
        f"link{number}": InputRequest("elicitation/create", pack({**_bare(members), **url}))
        for number, members in enumerate(asked, start=1)
    }
    return questions or None


def missing(
    question: InputRequest, capabilities: Mapping[str, msgspec.Raw], *, version: str
) -> dict[str, object] | None:
    """What a client of that revision would have to declare to be asked this; None where it has."""
    match question.method:
        case "roots/list":
            return None if "roots" in capabilities else {"roots": {}}
        case "sampling/createMessage":
            return _missing_sampling(question, capabilities)
        case _:
            return _missing_elicitation(question, capabilities, version)


def no_answer(method: InputMethod) -> msgspec.Raw | None:
    """What a server is told where nobody can answer; None where only an error says that."""
    match method:
        case "elicitation/create":
            return msgspec.Raw(b'{"action":"cancel"}')
        case "roots/list":
            return msgspec.Raw(b'{"roots":[]}')
        case _:
            return None


def _missing_sampling(
    question: InputRequest, capabilities: Mapping[str, msgspec.Raw]
) -> dict[str, object] | None:
    if "sampling" not in capabilities:
        return {"sampling": {}}
    asked = _object(question.params)
    with_tools = "tools" in asked or "toolChoice" in asked
    if with_tools and "tools" not in _object(capabilities["sampling"]):
        return {"sampling": {"tools": {}}}
    return None


def _missing_elicitation(
    question: InputRequest, capabilities: Mapping[str, msgspec.Raw], version: str
) -> dict[str, object] | None:
    row = versions.find(version)
    modes = _object(capabilities.get("elicitation"))
    if _is_url(question):
        able = "url" in modes and row is not None and row.url_elicitation
        return None if able else {"elicitation": {"url": {}}}
    # An empty object is the older way to say "forms".
    able = "elicitation" in capabilities and (not modes or "form" in modes)
    return None if able and row is not None and row.elicitation else {"elicitation": {"form": {}}}


def _is_url(question: InputRequest) -> bool:
    try:
        return _decode_mode(question.params or b"{}").mode == "url"
    except (msgspec.DecodeError, RecursionError):
        return False


def _object(raw: msgspec.Raw | None) -> Fields:
    """The fields of an object; none where it is none."""
    try:
        return _decode_fields(raw or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return {}


def _bare(members: Fields) -> Fields:
    return {name: value for name, value in members.items() if name != _ELICITATION_ID}


def _without(members: Fields, keys: frozenset[str]) -> Fields:
    """The params without these keys of `_meta`; without `_meta` where nothing is left of it."""
    if "_meta" not in members:
        return members
    said = {key: value for key, value in _object(members["_meta"]).items() if key not in keys}
    rest = {name: value for name, value in members.items() if name != "_meta"}
    return {**rest, "_meta": pack(said)} if said else rest
