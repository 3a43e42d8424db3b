"""The official schemas: what a peer of some revision may be sent. Must not know the gateway's code.

Each message is held to the definition of its method, not to the union of all, in which nearly anything is a `Result`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from jsonschema.protocols import Validator

FOLDER: Final = Path(__file__).parent / "schemas"
MODERN: Final = "2026-07-28"
REVISIONS: Final = sorted(path.stem for path in FOLDER.glob("*.json"))

_RESULTS: Final[Mapping[str, str]] = {
    "initialize": "InitializeResult",
    "server/discover": "DiscoverResult",
    "tools/list": "ListToolsResult",
    "tools/call": "CallToolResult",
    "prompts/list": "ListPromptsResult",
    "prompts/get": "GetPromptResult",
    "resources/list": "ListResourcesResult",
    "resources/templates/list": "ListResourceTemplatesResult",
    "resources/read": "ReadResourceResult",
    "completion/complete": "CompleteResult",
    "subscriptions/listen": "SubscriptionsListenResult",
    "sampling/createMessage": "CreateMessageResult",
    "elicitation/create": "ElicitResult",
    "roots/list": "ListRootsResult",
    "tasks/get": "GetTaskResult",
    "tasks/cancel": "CancelTaskResult",
}
"""Definitions of results by the request's method; all others are an `EmptyResult`, or a plain `Result`."""


class Spec:
    """One revision's schema."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self._document = json.loads((FOLDER / f"{revision}.json").read_text(encoding="utf-8"))
        self._place = "$defs" if "$defs" in self._document else "definitions"
        self._definitions = self._document[self._place]
        self._validators: dict[str, Validator] = {}
        self._by_method: dict[str, str] = {}
        for name, one in self._definitions.items():
            method = one.get("properties", {}).get("method", {}).get("const")
            if method is not None and name != "ClientNotification":
                self._by_method[method] = name

    def has(self, name: str) -> bool:
        """Whether the revision has that definition."""
        return name in self._definitions

    def knows(self, method: str) -> bool:
        """Whether the revision has a request or notification of that method."""
        return method in self._by_method

    def complaint(self, name: str, value: object, *, within: bool = True) -> str | None:
        """What is wrong with a value, as that definition; None where nothing is. Not `within`: only it and its members."""
        if name not in self._validators:
            kind = Draft202012Validator if self._place == "$defs" else Draft7Validator
            schema = {
                self._place: self._definitions,
                "$ref": f"#/{self._place}/{name}",
            }
            self._validators[name] = kind(schema)
        found: Iterator[ValidationError] = self._validators[name].iter_errors(value)
        error = next((one for one in found if within or len(one.absolute_path) <= 1), None)
        if error is None:
            return None
        return f"{self.revision} {name}: {error.message[:300]} in {json.dumps(value)[:600]}"

    def fault(self, message: Mapping[str, Any], *, answers: str = "", sender: str) -> str | None:
        """What is wrong with a message of that sender; `answers` is the method of the request that it answers, if any."""
        envelope = self.complaint("JSONRPCMessage", message)
        if envelope is not None:
            return envelope
        if "method" in message:
            return self._fault_of_method(message, sender)
        if "error" in message:
            return self.complaint(
                "JSONRPCError" if self.has("JSONRPCError") else "JSONRPCErrorResponse", message
            )
        return self._fault_of_result(answers, message["result"])

    def form_fault(
        self, message: Mapping[str, Any], *, answers: str = "", sender: str, crossed: bool
    ) -> str | None:
        """What is wrong with the form of a message: its envelope and its method.

        Args:
            message: it.
            answers: the method of the request that it answers, if any.
            sender: who says it.
            crossed: it comes from the other era, so that the members of a result are held to the schema too, and only
                what lies within them is the server's own. Within one era a result passes as it is, its `_meta` too.
        """
        if "result" in message and crossed:
            return self._fault_of_result(answers, message["result"], within=False)
        if isinstance(message.get("result"), dict):
            rest = {name: value for name, value in message["result"].items() if name != "_meta"}
            message = {**message, "result": rest}
        envelope = self.complaint("JSONRPCMessage", message)
        if envelope is None and "method" in message:
            name = self._by_method.get(message["method"])
            union = f"{sender}{'Request' if 'id' in message else 'Notification'}"
            if name is None and not any(
                spec(other).knows(message["method"]) for other in REVISIONS
            ):
                return None  # some extension's
            if name is None or not self.has(union) or not self._is_member(name, union):
                return f"in {self.revision} a {sender.lower()} does not send {message['method']}"
        return envelope

    def _fault_of_method(self, message: Mapping[str, Any], sender: str) -> str | None:
        method = message["method"]
        name = self._by_method.get(method)
        if name is None:
            return f"{self.revision} has no {method}"
        union = f"{sender}{'Request' if 'id' in message else 'Notification'}"
        if not self.has(union):
            return f"in {self.revision} a {sender.lower()} sends no requests"
        if not self._is_member(name, union):
            return f"in {self.revision} {method} is not in {union}"
        return self.complaint(name, message)

    def _is_member(self, name: str, union: str) -> bool:
        """Whether a definition is one of a union's; the modern `ClientNotification` has but one, written out."""
        found = self._definitions[union]
        if "anyOf" not in found:
            return bool(
                found["properties"]["method"] == self._definitions[name]["properties"]["method"]
            )
        return any(one["$ref"].endswith(f"/{name}") for one in found["anyOf"])

    def _fault_of_result(self, method: str, result: object, *, within: bool = True) -> str | None:
        if (
            self.has("InputRequiredResult")
            and isinstance(result, dict)
            and result.get("resultType") == "input_required"
        ):
            return self.complaint("InputRequiredResult", result, within=within)
        name = _RESULTS.get(method, "Result")
        if name == "CallToolResult" and isinstance(result, dict) and "task" in result:
            name = "CreateTaskResult"
        return self.complaint(name, result, within=within)


@cache
def spec(revision: str) -> Spec:
    """The schema of that revision."""
    return Spec(revision)
