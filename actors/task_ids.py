"""Ids of tasks as clients see them: sealed, so that each leads back to its server, and serves nobody else.

Must not know what a task does. An id names the server, the id there, the caller, and the owner whose container runs it.

Source: MCP 2025-11-25, basic, utilities, "Tasks"; SEP-2663, "Security Considerations".
"""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from actors.call import Answer, Call
from gateway import limits
from gateway.errors import GatewayError
from gateway.jsonrpc.messages import Failure, Notification
from gateway.mcp import meta, params, tasks
from gateway.mcp.params import Fields
from gateway.mcp.sealed import Seal, TaskClaims
from gateway.ports import Principal

_RELATED: Final = tasks.RELATED.encode()


class TaskIds:
    """Gives out ids, and reads those that come back. They are good until the gateway ends, as containers are."""

    def __init__(self) -> None:
        self._seal = Seal(secrets.token_bytes(limits.STATE_KEY_BYTES))

    def read(self, task_id: str, principal: Principal) -> TaskClaims:
        """What an id says.

        Raises:
            StateRefused: it is not one of ours, or not this caller's.
        """
        return self._seal.open_task(task_id, principal=principal.name)

    def answer(self, call: Call, answer: Answer, principal: Principal) -> Answer:
        """A server's answer with its task ids as this caller knows them."""
        if isinstance(answer, Failure):
            return answer
        try:
            fields = meta.result_fields(answer)
        except GatewayError:
            return answer
        return self._renamed(fields, call.server, call.owner, principal)

    def params(
        self, raw: msgspec.Raw | None, *, server: str, owner: str, principal: Principal
    ) -> msgspec.Raw | None:
        """The same for the params of what a server sends unasked."""
        if raw is None:
            return None
        try:
            return self._renamed(params.fields(raw), server, owner, principal)
        except GatewayError:
            return raw

    def notification(
        self, notification: Notification, *, server: str, owner: str, principal: Principal
    ) -> Notification:
        """A notification about a task; others as they are."""
        if notification.method != "notifications/tasks/status":
            return notification
        told = self.params(notification.params, server=server, owner=owner, principal=principal)
        return Notification(notification.method, told)

    def related(
        self, raw: msgspec.Raw | None, *, server: str, owner: str, principal: Principal
    ) -> msgspec.Raw | None:
        """The params of a server's request; one that belongs to a task names it in its `_meta`, and most belong to none."""
        if raw is None or _RELATED not in bytes(raw):
            return raw
        return self.params(raw, server=server, owner=owner, principal=principal)

    def _renamed(
        self, fields: Fields, server: str, owner: str, principal: Principal
    ) -> msgspec.Raw:
        def sealed(task_id: str) -> str:
            return self._seal.seal_task(TaskClaims(server, task_id, principal.name, owner))

        return params.pack(tasks.renamed(fields, sealed))
