"""A client that does what a client scenario wants done, in its era; runs under the python of PyPI `mcp` 2.x.

`downstream.py URL`, with the scenario in the environment as the suite puts it there. Can be asked everything: it declares
roots, sampling and elicitation. Must not import anything of this repository.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp import Client
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    Root,
    TextContent,
)

MODERN = "2026-07-28"


class Driver:
    """The client, and what came with the scenario."""

    def __init__(self, url: str) -> None:
        self.context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
        modern = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION") == MODERN
        self.client = Client(
            url,
            mode="auto" if modern else "legacy",
            elicitation_callback=self._accept,
            sampling_callback=self._sample,
            list_roots_callback=self._roots,
            cache=None,
        )
        self.when_asked: Callable[[], Awaitable[None]] | None = None
        """Done in the middle of an elicitation, once."""

    async def tools(self) -> list[Any]:
        """The tools that the gateway shows."""
        return (await self.client.list_tools()).tools

    async def call(self, name: str, **arguments: object) -> None:
        """Calls a tool."""
        result = await self.client.call_tool(name, arguments)
        print(f"{name}: {result.model_dump_json(by_alias=True, exclude_none=True)}")

    async def _accept(self, _context: Any, params: Any) -> ElicitResult:
        """Accepts with the defaults of the form, and some yes where there is none."""
        todo, self.when_asked = self.when_asked, None
        if todo is not None:
            await todo()
        fields = params.requested_schema.get("properties", {})
        content = {
            name: field.get("default", True if field["type"] == "boolean" else "yes")
            for name, field in fields.items()
        }
        return ElicitResult(action="accept", content=content)

    async def _sample(self, _context: Any, _params: Any) -> CreateMessageResult:
        return CreateMessageResult(
            role="assistant", content=TextContent(text="Sampled."), model="none"
        )

    async def _roots(self, _context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri="file:///test/root", name="root")])


async def look(driver: Driver) -> None:
    """Lists the tools."""
    for tool in await driver.tools():
        print(tool.name)


async def add(driver: Driver) -> None:
    """Calls a tool with two numbers."""
    await driver.tools()
    await driver.call("add_numbers", a=5, b=3)


async def call_all(driver: Driver) -> None:
    """Calls every tool that is shown."""
    for tool in await driver.tools():
        properties = tool.input_schema.get("properties", {})
        await driver.call(tool.name, **dict.fromkeys(properties, "value"))


async def call_given(driver: Driver) -> None:
    """Makes the calls that came with the scenario."""
    await driver.tools()
    for call in driver.context["toolCalls"]:
        await driver.call(call["name"], **call["arguments"])


async def answer_rounds(driver: Driver) -> None:
    """Answers what tools ask; another call comes between the question and the answer."""
    await driver.tools()

    async def interrupt() -> None:
        await driver.call("test_mrtr_unrelated")

    driver.when_asked = interrupt
    for name in ("test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_no_result_type"):
        await driver.call(name)


async def touch_everything(driver: Driver) -> None:
    """Calls every tool, reads every resource, gets every prompt."""
    await call_all(driver)
    for resource in (await driver.client.list_resources()).resources:
        await driver.client.read_resource(str(resource.uri))
    for prompt in (await driver.client.list_prompts()).prompts:
        await driver.client.get_prompt(prompt.name)


async def echo_schema(driver: Driver) -> None:
    """Sends a tool's schema back as it came."""
    tools = {tool.name: tool for tool in await driver.tools()}
    await driver.call("json_schema_echo", schema=tools["json_schema_2020_12_tool"].input_schema)


async def be_asked(driver: Driver) -> None:
    """Calls every tool of the fixture that asks something; no scenario does all of these in one era."""
    await driver.call("test_sampling", prompt="Speak.")
    await driver.call("test_elicitation", message="Who are you?")
    await driver.call("test_elicitation_sep1034_defaults")
    for tool in await driver.tools():
        if tool.name.startswith("test_input_required_result_"):
            await driver.call(tool.name)
    prompt = await driver.client.get_prompt("test_input_required_result_prompt")
    print(f"prompt: {prompt.model_dump_json(by_alias=True, exclude_none=True)}")


ACTIONS: dict[str, Callable[[Driver], Awaitable[None]]] = {
    "initialize": look,
    "tools_call": add,
    "elicitation-sep1034-client-defaults": call_all,
    "sse-retry": call_all,
    "request-metadata": look,
    "sep-2322-client-request-state": answer_rounds,
    "http-standard-headers": touch_everything,
    "http-custom-headers": call_given,
    "http-invalid-tool-headers": call_all,
    "json-schema-ref-no-deref": look,
    "json-schema-2020-12-preservation": echo_schema,
    "be-asked": be_asked,
}


async def main() -> None:
    """Does the scenario's action."""
    driver = Driver(sys.argv[1])
    async with driver.client:
        await ACTIONS[os.environ["MCP_CONFORMANCE_SCENARIO"]](driver)


if __name__ == "__main__":
    anyio.run(main)
