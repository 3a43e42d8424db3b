"""The bridge between eras: what is added, taken off or said otherwise when a message crosses. Must not hold state.

All differences stand here and in `METHODS`: a new revision is a row in `versions.VERSIONS`, rows in `methods.METHODS`,
and what it says otherwise, here. A call that a server answers with questions is not converted but carried on, by who
keeps it: see `input_required` and `questions`. Functions towards one era take what servers of either era say.

Source: MCP 2026-07-28, changelog; the schema page of both revisions; SEP-2663.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

import msgspec

from gateway.errors import ProtocolFault
from gateway.jsonrpc.messages import Failure
from gateway.mcp import content, discover, input_required, meta, questions, tasks, versions
from gateway.mcp.cache_hints import SCOPE, TTL, CacheHint, cache_hint
from gateway.mcp.params import Fields, pack

# --- the tables -------------------------------------------------------------------------------------------------

Crossing = Literal["answered", "carried", "converted", "kept", "dropped", "refused"]
"""What becomes of a method that the other side's era lacks.

`answered`: the gateway answers it, or sends its own, on each leg. `carried`: as a question within a result, or as a
request that stands for one. `converted`: into what the other era has for it (a listen filter, a task in its other form).
`kept`: its value is kept, and said in each request (log levels). `dropped`: nobody waits for it. `refused`: -32601, for
the other era has nothing like it.
"""

ONE_ERA: Final[Mapping[str, Crossing]] = {
    "initialize": "answered",
    "server/discover": "answered",
    "ping": "answered",
    "notifications/initialized": "answered",
    "subscriptions/listen": "converted",
    "notifications/subscriptions/acknowledged": "answered",
    "resources/subscribe": "converted",
    "resources/unsubscribe": "converted",
    "logging/setLevel": "kept",
    "sampling/createMessage": "carried",
    "roots/list": "carried",
    "elicitation/create": "carried",
    "notifications/roots/list_changed": "dropped",
    "notifications/elicitation/complete": "dropped",
    "tasks/result": "refused",
    "tasks/list": "refused",
    "tasks/update": "refused",
    "notifications/tasks/status": "converted",
    "notifications/tasks": "converted",
}
"""Every method that exists in one era only."""

CACHEABLE: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    }
)
"""Methods whose modern results say for how long, and by whom, they may be kept."""

_RESULT_TYPES: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    input_required.RESULT_TYPE: (input_required.METHODS, ""),
    tasks.RESULT_TYPE: (frozenset({"tools/call"}), tasks.EXTENSION),
}
"""Results that are not the last word: the methods that may have them, and the extension that the client must declare."""

_MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "tools/call": {"content": "[", "isError": "tf"},
    "prompts/get": {"messages": "[", "description": '"'},
    "resources/read": {"contents": "["},
    "completion/complete": {"completion": "{"},
}
"""The members of a whole result that all revisions have, and how their JSON text begins. The first one must be there."""

_RESOURCE_NOT_FOUND: Final = -32002
"""Until 2025-11-25; modern servers say -32602."""
_INVALID_PARAMS: Final = -32602
_INTERNAL_ERROR: Final = -32603
_RESERVED: Final = range(-32099, -32019)
"""Codes that only the specification defines since 2026-07-28. Older servers used them as they liked."""

_TYPE: Final = "resultType"
_COMPLETE: Final = "complete"
_READ: Final = "resources/read"
_EMPTY: Final = msgspec.Raw(b"{}")
_BRACE: Final = ord("{")

_decode_fields = msgspec.json.Decoder(Fields).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


# --- results ----------------------------------------------------------------------------------------------------


def result_type(result: Mapping[str, msgspec.Raw]) -> str:
    """The type of a server's result; legacy ones are complete.

    Raises:
        ProtocolFault: it is no string.
    """
    try:
        return _decode_text(result[_TYPE]) if _TYPE in result else _COMPLETE
    except msgspec.DecodeError as error:
        raise ProtocolFault(f"The server answered with a {_TYPE} that is no string.") from error


def result_to_modern(
    method: str,
    result: msgspec.Raw,
    *,
    server_info: msgspec.Raw,
    hint: CacheHint | None = None,
    extensions: Collection[str] = (),
) -> msgspec.Raw:
    """A server's result, or one of ours, as a modern client gets it.

    Args:
        method: what the client asked for.
        result: as the server gave it.
        server_info: the gateway's own identity.
        hint: for how long it is good; None where the server has said so.
        extensions: those that the client declared in this request.

    Raises:
        ProtocolFault: no object, of a type that this client cannot be given, or without what the method's result must have.
    """
    members = _complete_call(method, meta.result_fields(result))
    kind = result_type(members)
    _check_type(kind, method, extensions)
    if kind == _COMPLETE:
        members = _whole(method, members)
    members[_TYPE] = msgspec.Raw(_encode(kind))
    if method in CACHEABLE and kind == _COMPLETE:
        good = cache_hint(members) if hint is None else hint
        members[TTL] = msgspec.Raw(_encode(good.ttl_ms))
        members[SCOPE] = msgspec.Raw(b'"private"' if good.private else b'"public"')
    return pack(meta.name_server(members, server_info))


def result_to_legacy(
    method: str, result: msgspec.Raw, *, version: str = versions.LATEST
) -> msgspec.Raw:
    """A server's result as a legacy client of that revision gets it.

    Raises:
        ProtocolFault: no object; not complete, for questions and tasks are for who keeps the call; or without what the
            method's result must have.
    """
    members = meta.result_fields(result)
    if result_type(members) != _COMPLETE:
        raise ProtocolFault(f"The server answered {method} with something that is no result yet.")
    members.pop(_TYPE, None)
    if method in CACHEABLE:
        members.pop(TTL, None)
        members.pop(SCOPE, None)
    members = _whole(method, _complete_call(method, _without_server(members)))
    if method == "tools/call" and not is_object(members.get("structuredContent")):
        members.pop("structuredContent", None)
    row = versions.find(version)
    return pack(members if row is None else content.for_version(method, members, row))


def _check_type(kind: str, method: str, extensions: Collection[str]) -> None:
    if kind == _COMPLETE:
        return
    methods, extension = _RESULT_TYPES.get(kind, (frozenset(), ""))
    if method not in methods or (extension and extension not in extensions):
        raise ProtocolFault(f"The server answered {method} with a result of an unexpected type.")


def _whole(method: str, members: Fields) -> Fields:
    """The members, looked at by their first byte; what lies within them is the server's own. Optional nulls are left out.

    Raises:
        ProtocolFault: one is of another kind than every revision has it, or the one that must be there is not.
    """
    kept = members
    for position, (name, openings) in enumerate(_MEMBERS.get(method, {}).items()):
        opening = chr(memoryview(members[name])[0]) if name in members else ""
        if position and opening in {"", "n"}:
            kept = {key: value for key, value in kept.items() if key != name}
        elif not opening or opening not in openings:
            raise ProtocolFault(f"The server answered {method} without a {name!r} that is one.")
    return kept


def _complete_call(method: str, members: Fields) -> Fields:
    """A call's result with the content that all revisions ask for, which servers leave out beside structured content."""
    if method == "tools/call" and "content" not in members and result_type(members) == _COMPLETE:
        return {"content": msgspec.Raw(b"[]"), **members}
    return members


def _without_server(members: Fields) -> Fields:
    said = meta.result_meta(members)
    if said.pop(meta.SERVER_INFO, None) is None and is_object(members.get(meta.META, _EMPTY)):
        return members
    if said:
        return {**members, meta.META: pack(said)}
    return {name: value for name, value in members.items() if name != meta.META}


def is_object(raw: msgspec.Raw | None) -> bool:
    """Whether that JSON text is an object's."""
    return raw is not None and memoryview(raw)[0] == _BRACE


# --- errors -----------------------------------------------------------------------------------------------------


def failure_to_modern(failure: Failure, *, uri: str | None = None) -> Failure:
    """A server's error as a modern client gets it. `uri`: the resource that was to be read, if any.

    -32042 is for `questions.from_failure` first: only where nobody can be asked is it an error to a modern client.
    """
    if failure.code == _RESOURCE_NOT_FOUND:
        return _recoded(failure, _INVALID_PARAMS, _with_uri(failure.data, uri))
    if failure.code == questions.URL_ELICITATION_CODE:
        needed = msgspec.Raw(b'{"requiredCapabilities":{"elicitation":{"url":{}}}}')
        return _recoded(failure, discover.MISSING_CAPABILITY, needed)
    if failure.code in _RESERVED and not _names_capabilities(failure):
        # A modern server's complaint of our headers or version is ours, and a legacy server's codes mean nothing.
        return _recoded(failure, _INTERNAL_ERROR, None)
    return failure


def failure_to_legacy(failure: Failure, method: str) -> Failure:
    """A modern server's error as a legacy client gets it."""
    if failure.code == discover.MISSING_CAPABILITY:
        return _recoded(failure, _INVALID_PARAMS, None)
    if failure.code in _RESERVED:
        return _recoded(failure, _INTERNAL_ERROR, None)
    if failure.code == _INVALID_PARAMS and method == _READ and _uri_in(failure.data):
        return _recoded(failure, _RESOURCE_NOT_FOUND, failure.data)
    return failure


def _recoded(failure: Failure, code: int, data: msgspec.Raw | None) -> Failure:
    return Failure(failure.id, code, failure.message, data)


def _data(data: msgspec.Raw | None) -> Fields:
    """The fields of an error's data; none where it is no object."""
    try:
        return _decode_fields(data or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return {}


def _uri_in(data: msgspec.Raw | None) -> bool:
    return "uri" in _data(data)


def _with_uri(data: msgspec.Raw | None, uri: str | None) -> msgspec.Raw | None:
    if uri is None or _uri_in(data):
        return data
    return pack({**_data(data), "uri": msgspec.Raw(_encode(uri))})


def _names_capabilities(failure: Failure) -> bool:
    """Whether this is a modern server's -32021, which tells its client what to declare."""
    needed = _data(failure.data).get("requiredCapabilities")
    return failure.code == discover.MISSING_CAPABILITY and is_object(needed)
