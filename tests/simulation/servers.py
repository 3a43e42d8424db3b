"""What the simulated servers do: each speaks its era, and calls meet what its character has in store.

All draws come from the run's seed and the container's number, so that a schedule with fewer steps changes little else.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import trio

from gateway.jsonrpc.lines import LineSplitter
from gateway.limits import MAX_FRAME_BYTES
from tests.simulation.oracle import Oracle

if TYPE_CHECKING:
    from tests.simulation.engine import SimLink

MODERN = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
TOOLS = [
    {"name": "echo", "inputSchema": {"type": "object"}},
    {"name": "other", "inputSchema": {"type": "object"}},
]
_FLOOD = 300
_QUESTIONS = ("roots/list", "sampling/createMessage", "elicitation/create")
_SAMPLE = {"messages": [], "maxTokens": 1}
_FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}


class Server:
    """The process in one container."""

    def __init__(self, link: SimLink, oracle: Oracle, seed: int) -> None:
        self.nursery: trio.Nursery | None = None
        self._link = link
        self._oracle = oracle
        self._character = link.character
        self._random = Random(f"{seed}-{link.name}")
        self._lines = LineSplitter(MAX_FRAME_BYTES)
        self._early: list[tuple[Any, tuple[Any, ...]]] = []
        self._calls = 0
        self._asked = 0
        self._lists = 0
        self._listening: Any = None
        self._era = ""

    def feed(self, frame: bytes) -> None:
        """Takes what came on stdin."""
        for line in self._lines.feed(frame):
            if isinstance(line, bytes) and line:
                self._take(json.loads(line))

    def announce(self) -> None:
        """Says that its lists changed."""
        self._lists += 1
        self._soon(self._tell, "notifications/tools/list_changed", {})

    # --- requests ----------------------------------------------------------------------------------------------

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message or "id" not in message:
            return
        self._soon(self._serve, message)

    def _soon(self, act: Any, *args: Any) -> None:
        if self._link.has_ended:
            return
        if self.nursery is None:
            self._early.append((act, args))
        else:
            self.nursery.start_soon(act, *args)

    def live(self, nursery: trio.Nursery) -> None:
        """The process runs: it acts on what came before."""
        self.nursery = nursery
        for act, args in self._early:
            self._soon(act, *args)

    async def _serve(self, message: dict[str, Any]) -> None:
        method, members = message["method"], message.get("params", {})
        stamped = f"{PREFIX}protocolVersion" in members.get("_meta", {})
        await trio.sleep(self._character.latency_s)
        if not self._era:
            # A process is locked to the era of its first request.
            wanted = "modern" if stamped else "legacy"
            self._era = wanted if self._character.era == "both" else self._character.era
        if method in {"initialize", "server/discover"}:
            await self._greet(message, stamped=stamped)
        elif method == "tools/list":
            await self._list(message)
        elif method == "tools/call":
            await self._call(message)
        elif method == "subscriptions/listen":
            self._listening = message["id"]
            await self._tell(
                "notifications/subscriptions/acknowledged",
                {"notifications": members.get("notifications", {})},
            )
        elif method in {"ping", "resources/subscribe", "resources/unsubscribe", "resources/read"}:
            await self._reply(message, {"contents": []} if method == "resources/read" else {})
        else:
            await self._fail(message, -32601, f"no {method} here")

    async def _greet(self, message: dict[str, Any], *, stamped: bool) -> None:
        mood = self._character.greeting
        if mood == "never":
            return
        if mood == "die":
            self._link.die(1)
            return
        if mood == "error":
            await self._fail(message, -32603, "not today")
            return
        if mood == "slow":
            await trio.sleep(self._random.uniform(0, 1.5 * self._character.init_timeout_s))
        offered = {"tools": {"listChanged": True}}
        if self._era == "modern":
            if not stamped:
                data = {"supported": [MODERN], "requested": "?"}
                await self._fail(message, -32022, "unsupported", data)
                return
            hello: dict[str, Any] = {"supportedVersions": [MODERN], "capabilities": offered}
        elif message["method"] == "server/discover":
            await self._fail(message, -32601, "no server/discover here")
            return
        else:
            offered["logging"] = {}
            hello = {
                "protocolVersion": "2025-11-25",
                "capabilities": offered,
                "serverInfo": {"name": self._character.name, "version": "1"},
            }
        await self._reply(message, hello)

    async def _list(self, message: dict[str, Any]) -> None:
        tools = [dict(tool) for tool in TOOLS]
        if self._character.annotated:
            tools[0]["annotations"] = {"readOnlyHint": True}
        tools = [*tools, {"name": f"new{self._lists}", "inputSchema": {"type": "object"}}]
        await self._reply(message, {"tools": tools})

    async def _call(self, message: dict[str, Any]) -> None:
        members = message["params"]
        number = members["arguments"]["n"]
        self._calls += 1
        self._oracle.note("serves", self._link.name, number)
        self._oracle.served(self._link.served, number)
        if self._calls == self._character.dies_at:
            self._link.die(1)
            return
        trouble = "ok"
        if self._random.random() < self._character.odds:
            trouble = self._random.choice(self._character.troubles)
        await self._meet(trouble, message, number)

    async def _meet(self, trouble: str, message: dict[str, Any], number: int) -> None:
        """One call, and what happens to it."""
        if await self._instead(trouble, message, number):
            return
        await self._before(trouble, message)
        await self._reply(message, self._echo(number))
        if trouble == "twice":
            await self._reply(message, self._echo(number))

    async def _instead(self, trouble: str, message: dict[str, Any], number: int) -> bool:
        """What comes in place of an answer; False where nothing does."""
        match trouble:
            case "mute":
                pass
            case "error":
                await self._fail(message, -32603, "it went wrong")
            case "die":
                self._link.die(1)
            case "wrong":
                await self._say({"jsonrpc": "2.0", "id": message["id"], "result": [1, 2]})
            case "input" if self._era == "modern" and "inputResponses" not in message["params"]:
                await self._ask_within(message, number)
            case _:
                return False
        return True

    async def _before(self, trouble: str, message: dict[str, Any]) -> None:
        """What comes before the answer."""
        match trouble:
            case "slow":
                await trio.sleep(self._random.uniform(0, 2 * self._character.timeout_s))
            case "unknown":
                await self._reply({"id": self._random.choice((10**6, "nobody", 2.5))}, {})
            case "garbage":
                await self._link.say(b'{"jsonrpc": "2.0", "id": \nLoading model ...\n[]\n\x00\n')
            case "flood":
                # Once in a while it is only one.
                for count in range(self._random.choice((1, _FLOOD))):
                    await self._tell("notifications/message", {"level": "info", "data": count})
            case "changed":
                for _ in range(3):
                    self._lists += 1
                    await self._tell("notifications/tools/list_changed", {})
            case "progress":
                await self._progress(message)
            case "ask":
                await self._ask()
            case _:
                pass

    def _echo(self, number: int) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": f"{self._character.name}:{number}"}]}

    async def _progress(self, message: dict[str, Any]) -> None:
        token = message["params"].get("_meta", {}).get("progressToken")
        for done in range(self._random.randint(1, 5)):
            if token is not None:
                await self._tell(
                    "notifications/progress", {"progressToken": token, "progress": done}
                )
            await trio.sleep(self._random.uniform(0, self._character.timeout_s))

    async def _ask(self) -> None:
        """Asks the client, once or far too often; does not wait for the answers longer than it likes."""
        if self._era == "modern":
            return
        for _ in range(self._random.choice((1, 1, 2, 9))):
            self._asked += 1
            method = self._random.choice(_QUESTIONS)
            members = {"roots/list": {}, "sampling/createMessage": _SAMPLE}.get(method, _FORM)
            await self._say(
                {"jsonrpc": "2.0", "id": f"q{self._asked}", "method": method, "params": members}
            )
        await trio.sleep(self._random.choice((0.0, 1.0, 100.0)))

    async def _ask_within(self, message: dict[str, Any], number: int) -> None:
        """Ends the call with a question, as modern servers do."""
        self._oracle.asked_again(number)
        questions = {"sure": {"method": "elicitation/create", "params": _FORM}}
        result = {"resultType": "input_required", "requestState": "s", "inputRequests": questions}
        if self._random.random() < 0.3:
            del result["inputRequests"]
        await self._reply(message, result)

    # --- writing -----------------------------------------------------------------------------------------------

    async def _reply(self, message: dict[str, Any], result: dict[str, Any]) -> None:
        if self._era == "modern":
            result = {"resultType": "complete", **result}
        await self._say({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def _fail(
        self, message: dict[str, Any], code: int, text: str, data: object = None
    ) -> None:
        error = {"code": code, "message": text, **({} if data is None else {"data": data})}
        await self._say({"jsonrpc": "2.0", "id": message["id"], "error": error})

    async def _tell(self, method: str, members: dict[str, Any]) -> None:
        if self._era == "modern" and "progressToken" not in members:
            members = {**members, "_meta": {f"{PREFIX}subscriptionId": self._listening}}
        await self._say({"jsonrpc": "2.0", "method": method, "params": members})

    async def _say(self, message: dict[str, Any]) -> None:
        await self._link.say(json.dumps(message).encode() + b"\n")
