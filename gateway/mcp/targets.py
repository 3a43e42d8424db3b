"""Which requests are routed to a server, and what in them says to which one. Pure.

Source: MCP 2025-11-25, server/tools, server/prompts, server/resources; server/utilities/completion, "Reference Types".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.errors import InvalidParams
from gateway.mcp import params
from gateway.mcp.params import Fields

TARGETS: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "resources/subscribe": "uri",
    "resources/unsubscribe": "uri",
    "completion/complete": "ref",
    "tasks/get": "taskId",
    "tasks/result": "taskId",
    "tasks/cancel": "taskId",
    "tasks/update": "taskId",
}
"""Methods that are routed to a server, with the member of their params that says which."""

TASKS: Final = frozenset({"tasks/get", "tasks/result", "tasks/cancel", "tasks/update"})
"""Of these, those that name a task: its id says the server."""

_REFS: Final[Mapping[str, str]] = {"ref/prompt": "name", "ref/resource": "uri"}
"""The kinds of reference in `completion/complete`, with the member that names its target."""


class Target(msgspec.Struct, frozen=True):
    """What a routed request names: its params, what kind of name, the member that holds it, and the name."""

    fields: Fields
    kind: str
    key: str
    name: str

    def renamed(self, name: str) -> Fields:
        """The params with the server's own name."""
        if name == self.name:
            return self.fields
        if self.kind not in _REFS:
            return params.with_text(self.fields, self.key, name)
        reference = params.with_text(params.fields(self.fields["ref"]), self.key, name)
        return {**self.fields, "ref": params.pack(reference)}


def read_target(method: str, fields: Fields) -> Target:
    """What a request of one of the `TARGETS` names.

    Raises:
        InvalidParams: the member is missing, no string, or a reference of a kind that does not exist.
    """
    key = TARGETS[method]
    if key != "ref":
        return Target(fields, method, key, params.text(fields, key))
    reference = params.fields(fields.get("ref"))
    kind = params.text(reference, "type")
    if kind not in _REFS:
        raise InvalidParams(f"params.ref.type must be one of {', '.join(_REFS)}")
    return Target(fields, kind, _REFS[kind], params.text(reference, _REFS[kind]))
