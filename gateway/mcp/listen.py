"""`subscriptions/listen` for both sides: who hears of which change. Must not know streams, nor how many listeners there are.

Source: MCP 2026-07-28, basic, patterns, "Subscriptions" and "Cancellation"; SEP-2663, "Task Status Notifications".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from gateway.errors import InvalidParams, MissingCapability, ProtocolFault
from gateway.jsonrpc.messages import Id, Notification, Result
from gateway.limits import MAX_SUBSCRIBED_URIS
from gateway.mcp import meta, params
from gateway.mcp.params import Fields, pack
from gateway.mcp.tasks import EXTENSION as TASKS_EXTENSION

METHOD: Final = "subscriptions/listen"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_FILTER: Final = "notifications"


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one listener hears of; `uris` are resources whose updates, `tasks` ids of tasks whose states it follows."""

    tools: bool = msgspec.field(default=False, name="toolsListChanged")
    prompts: bool = msgspec.field(default=False, name="promptsListChanged")
    resources: bool = msgspec.field(default=False, name="resourcesListChanged")
    uris: tuple[str, ...] = msgspec.field(default=(), name="resourceSubscriptions")
    tasks: tuple[str, ...] = msgspec.field(default=(), name="taskIds")

    def wants(self, notification: Notification) -> bool:
        """Whether the listener is sent that notification."""
        match notification.method:
            case "notifications/tools/list_changed":
                return self.tools
            case "notifications/prompts/list_changed":
                return self.prompts
            case "notifications/resources/list_changed":
                return self.resources
            case "notifications/resources/updated":
                updated = _named(notification, "uri")
                return any(covers(uri, updated) for uri in self.uris)
            case "notifications/tasks":
                return _named(notification, "taskId") in self.tasks
            case _:
                return False


_decode_filter = msgspec.json.Decoder(Filter).decode
_decode_id = msgspec.json.Decoder(int | float | str).decode
_encode = msgspec.json.Encoder().encode


def covers(subscribed: str, updated: str) -> bool:
    """Whether an update of one resource concerns who subscribed to the other: the same, or one that lies below it."""
    below = subscribed if subscribed.endswith("/") else f"{subscribed}/"
    return bool(updated) and (updated == subscribed or updated.startswith(below))


# --- as server --------------------------------------------------------------------------------------------------


def parse_filter(members: Mapping[str, msgspec.Raw]) -> Filter:
    """What a client's listen request asks for. Kinds that are not known here are left out, as its acknowledgement says.

    Raises:
        InvalidParams: there is no filter, or a field of it is ill-typed.
    """
    try:
        return _decode_filter(members[_FILTER])
    except (KeyError, msgspec.DecodeError, RecursionError) as error:
        raise InvalidParams(
            f"params.{_FILTER} must be an object that says what to listen for."
        ) from error


def check_filter(wanted: Filter, extensions: Collection[str]) -> None:
    """Checks that the client declared what its filter needs.

    Raises:
        MissingCapability: it follows tasks, without the extension of that name.
    """
    if wanted.tasks and TASKS_EXTENSION not in extensions:
        raise MissingCapability(
            f"Listening to tasks needs the extension {TASKS_EXTENSION}; declare it in the request.",
            required={"extensions": {TASKS_EXTENSION: {}}},
        )


def accepted(
    wanted: Filter,
    *,
    tools: bool = True,
    prompts: bool = True,
    resources: bool = True,
    updates: bool = True,
    tasks: Collection[str] = (),
) -> Filter:
    """What of it is honoured, given what can be; each URI once, and `limits.MAX_SUBSCRIBED_URIS` of them at most."""
    uris = tuple(dict.fromkeys(wanted.uris))[:MAX_SUBSCRIBED_URIS]
    return Filter(
        tools=wanted.tools and tools,
        prompts=wanted.prompts and prompts,
        resources=wanted.resources and resources,
        uris=uris if updates else (),
        tasks=tuple(task for task in dict.fromkeys(wanted.tasks) if task in tasks),
    )


def acknowledged(listen_id: Id, honoured: Filter) -> Notification:
    """The first message of every subscription."""
    return tagged(listen_id, Notification(ACKNOWLEDGED, _carrying(honoured)))


def tagged(listen_id: Id, notification: Notification) -> Notification:
    """The notification as that listener gets it; a tag of another leg is replaced.

    Raises:
        ProtocolFault: its params or their `_meta` are no object.
    """
    members = _members(notification)
    tag = {meta.SUBSCRIPTION: msgspec.Raw(_encode(listen_id))}
    marked = {**members, meta.META: pack({**meta.checked_meta(members), **tag})}
    return Notification(notification.method, pack(marked))


def ended(
    listen_id: Id, *, server_info: msgspec.Raw, shared_channel: bool
) -> tuple[Notification | Result, ...]:
    """What tells a listener that its subscription is over.

    Two pages of the specification differ: one wants `notifications/cancelled`, the other the result. On a channel that
    is shared with other requests (stdio, WebSocket) both are sent, and the stream that is closed after it says the first.
    """
    tag = {meta.SUBSCRIPTION: msgspec.Raw(_encode(listen_id))}
    members = {"resultType": msgspec.Raw(b'"complete"'), meta.META: pack(tag)}
    result = Result(listen_id, pack(meta.name_server(members, server_info)))
    if not shared_channel:
        return (result,)
    cancelled = {"requestId": msgspec.Raw(_encode(listen_id))}
    return (Notification("notifications/cancelled", pack(cancelled)), result)


# --- as client --------------------------------------------------------------------------------------------------


def listen_params(wanted: Filter) -> Fields:
    """The params of our listen request, to be stamped."""
    return params.fields(_carrying(wanted))


def merged(filters: Iterable[Filter]) -> Filter:
    """What to ask a server for, so that each of these listeners gets theirs."""
    listed = list(filters)
    return Filter(
        tools=any(one.tools for one in listed),
        prompts=any(one.prompts for one in listed),
        resources=any(one.resources for one in listed),
        uris=tuple(dict.fromkeys(uri for one in listed for uri in one.uris)),
        tasks=tuple(dict.fromkeys(task for one in listed for task in one.tasks)),
    )


def subscription_of(notification: Notification) -> Id | None:
    """The id of our listen request that it belongs to; None where it names none.

    Raises:
        ProtocolFault: its params, their `_meta` or the id are ill-typed.
    """
    tag = meta.checked_meta(_members(notification)).get(meta.SUBSCRIPTION)
    try:
        return None if tag is None else _decode_id(tag)
    except msgspec.DecodeError as error:
        raise ProtocolFault(f"{meta.SUBSCRIPTION} must be a string or a number.") from error


def untagged(notification: Notification) -> Notification:
    """The notification as a legacy client gets it.

    Raises:
        ProtocolFault: its params or their `_meta` are no object.
    """
    members = _members(notification)
    tags = meta.checked_meta(members)
    if tags.pop(meta.SUBSCRIPTION, None) is None:
        return notification
    members.pop(meta.META)
    if tags:
        members[meta.META] = pack(tags)
    return Notification(notification.method, pack(members) if members else None)


def parse_acknowledged(notification: Notification) -> Filter:
    """What of our filter the server honours.

    Raises:
        ProtocolFault: there is no filter, or a field of it is ill-typed.
    """
    try:
        return _decode_filter(_members(notification)[_FILTER])
    except (KeyError, msgspec.DecodeError, RecursionError) as error:
        raise ProtocolFault(
            "The server acknowledged a subscription without saying which."
        ) from error


def _carrying(carried: Filter) -> msgspec.Raw:
    return pack({_FILTER: msgspec.Raw(_encode(carried))})


def _members(notification: Notification) -> Fields:
    try:
        return params.fields(notification.params)
    except InvalidParams as error:
        raise ProtocolFault(
            f"The server sent {notification.method} with params that are no object."
        ) from error


def _named(notification: Notification, key: str) -> str:
    """The string in that field of its params; "" where there is none."""
    try:
        return params.text(params.fields(notification.params), key)
    except InvalidParams:
        return ""
