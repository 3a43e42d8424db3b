"""Which requests are routed to a server, and what in them says to which one. Pure.

Source: MCP 2025-11-25, server/tools, server/prompts, server/resources; server/utilities/completion, "Reference Types".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gateway.errors import InvalidParams
from gateway.mcp import params
from gateway.mcp.params import Fields

Named = Literal["tool", "prompt", "resource", "template", "task"]
"""What a name is the name of."""

TARGETS: Final[Mapping[str, tuple[Named, str]]] = {
    "tools/call": ("tool", "name"),
    "prompts/get": ("prompt", "name"),
    "resources/read": ("resource", "uri"),
    "resources/subscribe": ("resource", "uri"),
    "resources/unsubscribe": ("resource", "uri"),
    "completion/complete": ("template", "ref"),
    "tasks/get": ("task", "taskId"),
    "tasks/result": ("task", "taskId"),
    "tasks/cancel": ("task", "taskId"),
    "tasks/update": ("task", "taskId"),
}
"""Methods that are routed to a server, with what they name, and the member of their params that does. A `ref` says itself
what it names."""

TASKS: Final = frozenset({"tasks/get", "tasks/result", "tasks/cancel", "tasks/update"})
"""Of these, those that name a task: its id says the server."""

_REF: Final = "ref"
_REFS: Final[Mapping[str, tuple[Named, str]]] = {
    "ref/prompt": ("prompt", "name"),
    "ref/resource": ("template", "uri"),
}
"""The kinds of reference in `completion/complete`, likewise."""


class Target(msgspec.Struct, frozen=True):
    """What a routed request names: its params, what is named, the member that holds the name, and the name.

    `in_ref`: the member is one of the params' `ref`.
    """

    fields: Fields
    kind: Named
    key: str
    name: str
    in_ref: bool = False

    def renamed(self, name: str) -> Fields:
        """The params with the server's own name."""
        if name == self.name:
            return self.fields
        if not self.in_ref:
            return params.with_text(self.fields, self.key, name)
        reference = params.with_text(params.fields(self.fields[_REF]), self.key, name)
        return {**self.fields, _REF: params.pack(reference)}


def read_target(method: str, fields: Fields) -> Target:
    """What a request of one of the `TARGETS` names.

    Raises:
        InvalidParams: the member is missing, no string, or a reference of a kind that does not exist.
    """
    kind, key = TARGETS[method]
    if key != _REF:
        return Target(fields, kind, key, params.text(fields, key))
    reference = params.fields(fields.get(_REF))
    said = params.text(reference, "type")
    if said not in _REFS:
        raise InvalidParams(f"params.ref.type must be one of {', '.join(_REFS)}")
    kind, key = _REFS[said]
    return Target(fields, kind, key, params.text(reference, key), in_ref=True)
