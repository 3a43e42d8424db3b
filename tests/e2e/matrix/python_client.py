"""A session of a Python client, in an environment of its own. Must import nothing of this repository.

Reads `{"library": "mcp-1" | "mcp-2" | "fastmcp", "era": "legacy" | "modern", "targets": […]}` on stdin; does the same
with each target, all at a time, and prints one report per target as a JSON list.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import ClientSession, types
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

try:  # 2.x
    from mcp import Client
    from mcp.client.subscriptions import listen
except ImportError:  # 1.x
    from mcp.client.websocket import websocket_client

# Half of what is tried here is deprecated.
warnings.simplefilter("ignore")

PATIENCE_S = 20.0
POLL_S = 0.02
WATCHED = "test://watched-resource"
NAME = "Ada"


class Told:
    """What the server has said by itself."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.updated = anyio.Event()

    async def answer(self, _context: Any, params: Any) -> types.ElicitResult:
        """Fills the form."""
        self.questions.append(params.message)
        return types.ElicitResult(action="accept", content={"name": NAME})

    async def answer_fast(
        self, message: str, _kind: Any, _params: Any, _context: Any
    ) -> dict[str, str]:
        """The same in fastmcp's words."""
        self.questions.append(message)
        return {"name": NAME}

    async def hear(self, message: Any) -> None:
        """Notices updates of the resource that is watched."""
        notification = getattr(message, "root", message)
        if getattr(notification, "method", "") == "notifications/resources/updated":
            assert str(notification.params.uri) == WATCHED
            self.updated.set()


@asynccontextmanager
async def streams(target: dict[str, Any]) -> AsyncIterator[tuple[Any, Any]]:
    """The two streams to a target."""
    url = target.get("url", "")
    match target["transport"]:
        case "stdio":
            opened: Any = stdio_client(parameters(target))
        case "sse":
            opened = sse_client(url + "/sse")
        case "websocket":
            opened = websocket_client(url.replace("http", "ws", 1) + "/ws")
        case _:
            opened = streamable_http_client(url + "/mcp")
    async with opened as found:
        yield found[0], found[1]


def parameters(target: dict[str, Any]) -> StdioServerParameters:
    """How a target is started."""
    command, *arguments = target["command"]
    return StdioServerParameters(command=command, args=arguments, env=target["environ"])


class Mcp1:
    """PyPI `mcp` 1.x: a session; to cancel, the application writes the notification."""

    def __init__(self, target: dict[str, Any], _era: str) -> None:
        self._target = target
        self.told = Told()

    async def open(self, stack: AsyncExitStack) -> str:
        """Connects; the revision that was agreed on."""
        found = await stack.enter_async_context(streams(self._target))
        self.session: Any = await stack.enter_async_context(
            ClientSession(
                *found, elicitation_callback=self.told.answer, message_handler=self.told.hear
            )
        )
        return str((await self.session.initialize()).protocolVersion)

    async def listed(self, what: str) -> Any:
        """A whole list."""
        return getattr(await getattr(self.session, f"list_{what}")(), _camel(what))

    async def call(self, name: str, arguments: dict[str, Any], on_progress: Any = None) -> Any:
        """Calls a tool."""
        return await self.session.call_tool(name, arguments, progress_callback=on_progress)

    @asynccontextmanager
    async def cancelling(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Gives what cancels the call that is made in the block."""
        identity = self.session._request_id

        async def cancel() -> None:
            params = types.CancelledNotificationParams(requestId=identity, reason="test")
            told = types.CancelledNotification(method="notifications/cancelled", params=params)
            await self.session.send_notification(types.ClientNotification(told))

        yield cancel

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[anyio.Event]:
        """Subscribed to the resource; the event is set when it changes."""
        await self.session.subscribe_resource(WATCHED)
        yield self.told.updated


class Mcp2:
    """PyPI `mcp` 2.x: a client of either era; a call is cancelled as any code is, by its scope."""

    def __init__(self, target: dict[str, Any], era: str) -> None:
        self._target = target
        self._era = era
        self.told = Told()

    async def open(self, stack: AsyncExitStack) -> str:
        """Connects; the revision that was agreed on."""
        mode = "legacy" if self._era == "legacy" else "auto"
        self.client: Any = await stack.enter_async_context(self._made(mode))
        return str(self.client.session.protocol_version)

    def _made(self, mode: str) -> Any:
        return Client(
            streams(self._target),
            mode=mode,
            elicitation_callback=self.told.answer,
            message_handler=self.told.hear,
        )

    async def listed(self, what: str) -> Any:
        """A whole list."""
        return getattr(await getattr(self.client, f"list_{what}")(), what)

    async def call(self, name: str, arguments: dict[str, Any], on_progress: Any = None) -> Any:
        """Calls a tool."""
        return await self.client.call_tool(name, arguments, progress_callback=on_progress)

    @asynccontextmanager
    async def cancelling(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Gives what cancels the call that is made in the block."""
        with anyio.CancelScope() as scope:

            async def cancel() -> None:
                scope.cancel()

            yield cancel

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[anyio.Event]:
        """Subscribed to the resource; the event is set when it changes."""
        if self._era == "legacy":
            await self.client.session.subscribe_resource(WATCHED)
            yield self.told.updated
            return
        async with (
            listen(self.client.session, resource_subscriptions=[WATCHED]) as subscription,
            anyio.create_task_group() as group,
        ):
            changed = anyio.Event()

            async def hear() -> None:
                async for event in subscription:
                    assert event.uri == WATCHED
                    changed.set()

            group.start_soon(hear)
            yield changed
            group.cancel_scope.cancel()


class Fast(Mcp2):
    """PyPI `fastmcp` 4.x. For subscriptions it has the session of `mcp` 2.x, which is public."""

    def _made(self, mode: str) -> Any:
        from fastmcp import Client as FastClient
        from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport

        target = self._target
        match target["transport"]:
            case "stdio":
                command, *arguments = target["command"]
                transport: Any = StdioTransport(
                    command, arguments, env=target["environ"], keep_alive=False
                )
            case "sse":
                transport = SSETransport(target["url"] + "/sse")
            case _:
                transport = StreamableHttpTransport(target["url"] + "/mcp")
        return FastClient(
            transport,
            mode=mode,
            elicitation_handler=self.told.answer_fast,
            message_handler=self.told.hear,
        )

    async def listed(self, what: str) -> Any:
        """A whole list."""
        return await getattr(self.client, f"list_{what}")()

    async def call(self, name: str, arguments: dict[str, Any], on_progress: Any = None) -> Any:
        """Calls a tool."""
        return await self.client.call_tool_mcp(name, arguments, progress_handler=on_progress)


LIBRARIES = {"mcp-1": Mcp1, "mcp-2": Mcp2, "fastmcp": Fast}
LISTS = ("tools", "prompts", "resources", "resource_templates")


def _camel(words: str) -> str:
    first, *more = words.split("_")
    return first + "".join(map(str.capitalize, more))


def _shown(found: Any) -> Any:
    if isinstance(found, list):
        return [_shown(one) for one in found]
    return found.model_dump(mode="json", by_alias=True, exclude_none=True)


async def do_list(client: Any, _target: dict[str, Any]) -> Any:
    """All lists."""
    return {what: _shown(await client.listed(what)) for what in LISTS}


async def do_call(client: Any, _target: dict[str, Any]) -> Any:
    """A result with pieces of three kinds."""
    return _shown(await client.call("test_multiple_content_types", {}))


async def do_progress(client: Any, _target: dict[str, Any]) -> Any:
    """What was reported while the call ran."""
    reports: list[list[float | None]] = []

    async def on_progress(done: float, total: float | None, _message: str | None) -> None:
        reports.append([done, total])

    await client.call("test_tool_with_progress", {}, on_progress)
    return reports


async def do_elicit(client: Any, _target: dict[str, Any]) -> Any:
    """The questions, and what came of the answer."""
    result = await client.call("test_input_required_result_elicitation", {})
    return {"questions": client.told.questions, "text": result.content[0].text}


async def do_cancel(client: Any, target: dict[str, Any]) -> Any:
    """Whether the server was told while the session went on; and that the session goes on."""
    note = Path(target["notes"]) / target["label"]
    async with anyio.create_task_group() as group:
        begun = anyio.Event()

        async def on_progress(*_report: object) -> None:
            begun.set()

        async def wait() -> None:
            try:
                async with client.cancelling() as cancel:
                    group.start_soon(cancel_once_begun, cancel)
                    await client.call("test_wait", {"label": target["label"]}, on_progress)
            except Exception as error:  # noqa: BLE001 # some end with an error of their own
                print(f"the cancelled call: {error}", file=sys.stderr)

        async def cancel_once_begun(cancel: Callable[[], Awaitable[None]]) -> None:
            await begun.wait()
            await cancel()

        group.start_soon(wait)
        while not note.exists():  # noqa: ASYNC110 # another process has no event
            await anyio.sleep(POLL_S)
        group.cancel_scope.cancel()
    still = await client.call("test_simple_text", {})
    return {"told": note.exists(), "goes on": not _shown(still).get("isError", False)}


async def do_subscribe(client: Any, _target: dict[str, Any]) -> Any:
    """Whether the update of a resource came."""
    async with client.watching() as changed:
        await client.call("test_trigger_resource_update", {})
        await changed.wait()
    return {"updated": WATCHED}


STEPS = {
    "list": do_list,
    "call": do_call,
    "progress": do_progress,
    "elicit": do_elicit,
    "cancel": do_cancel,
    "subscribe": do_subscribe,
}


async def report(library: str, era: str, target: dict[str, Any]) -> dict[str, Any]:
    """All steps in one session."""
    done: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        client = LIBRARIES[library](target, era)
        done["revision"] = await client.open(stack)
        for name in target["steps"]:
            try:
                with anyio.fail_after(PATIENCE_S):
                    done[name] = await STEPS[name](client, target)
            except Exception as error:  # noqa: BLE001 # the report says so
                done[name] = {"error": _words(error)}
    return done


def _words(error: BaseException) -> str:
    """With all that is inside."""
    inner = getattr(error, "exceptions", ())
    return " / ".join(map(_words, inner)) if inner else f"{type(error).__name__}: {error}"


async def main() -> None:
    """A report per target."""
    task = json.load(sys.stdin)
    reports: list[dict[str, Any]] = [{} for _ in task["targets"]]

    async def do(index: int, target: dict[str, Any]) -> None:
        try:
            reports[index] = await report(task["library"], task["era"], target)
        except Exception as error:  # noqa: BLE001 # the report says so
            reports[index] = {"error": _words(error)}

    async with anyio.create_task_group() as group:
        for index, target in enumerate(task["targets"]):
            group.start_soon(do, index, target)
    json.dump(reports, sys.stdout)


anyio.run(main)
