"""An MCP server that rolls dice. Standard library only, Python 3.9 or newer; speaks JSON-RPC lines on stdin and stdout."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from secrets import SystemRandom
from typing import Any, NamedTuple

# --- dice -------------------------------------------------------------------------------------------------------

MAX_DICE = 1000
MAX_NOTATION_CHARS = 100
HINT = "write it like 3d6+2, d20, 4d6kh3 (keep the highest three) or d%"

_TERM = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<count>[0-9]{0,4})d(?P<sides>[0-9]{1,4}|%)(?:k(?P<keep>[hl])(?P<kept>[0-9]{1,4}))?"
    r"|(?P<plain>[0-9]{1,6}))",
    re.IGNORECASE,
)
_random = SystemRandom()


class Dice(NamedTuple):
    """One term of a notation: so many dice, of which the `kept` highest or lowest count."""

    text: str
    sign: int
    number: int
    sides: int
    keep: str
    kept: int

    def roll(self) -> dict[str, Any]:
        """Rolls them."""
        faces = [_random.randint(1, self.sides) for _ in range(self.number)]
        kept = sorted(faces, reverse=self.keep == "h")[: self.kept] if self.keep else faces
        return {"dice": self.text, "faces": faces, "kept": kept, "sum": self.sign * sum(kept)}


def parse_notation(notation: str) -> tuple[list[Dice], int]:
    """The dice of a notation, and the sum of its plain numbers."""
    text = "".join(notation.split())
    dice, modifier, position = [], 0, 0
    while position < len(text) or not position:
        found = _TERM.match(text, position)
        if not found or len(text) > MAX_NOTATION_CHARS or (position and not found["sign"]):
            raise ValueError(f"{notation[:MAX_NOTATION_CHARS]!r} is not dice notation; {HINT}")
        sign = -1 if found["sign"] == "-" else 1
        if found["plain"]:
            modifier += sign * int(found["plain"])
        else:
            dice.append(_dice(found, sign))
        position = found.end()
    if sum(term.number for term in dice) > MAX_DICE:
        raise ValueError(f"that is more than {MAX_DICE} dice; roll fewer")
    return dice, modifier


def _dice(found: re.Match[str], sign: int) -> Dice:
    count = int(found["count"] or 1)
    sides = 100 if found["sides"] == "%" else int(found["sides"])
    kept = int(found["kept"] or count)
    if not (count and sides and 0 < kept <= count):
        raise ValueError(f"{found[0]!r} cannot be rolled: count, sides and kept dice start at 1")
    return Dice(found[0].lstrip("+-"), sign, count, sides, (found["keep"] or "").lower(), kept)


def roll(arguments: dict[str, Any]) -> dict[str, Any]:
    """Rolls a notation."""
    notation = arguments.get("dice", "1d6")
    if not isinstance(notation, str):
        raise ValueError(f"'dice' must be a text; {HINT}")  # noqa: TRY004 — the model can mend it
    dice, modifier = parse_notation(notation)
    rolls = [term.roll() for term in dice]
    total = sum(term["sum"] for term in rolls) + modifier
    bounds = [sorted((d.sign * d.kept, d.sign * d.kept * d.sides)) for d in dice]
    shown = [f"{term['dice']} {term['faces']}" for term in rolls] + [f"{modifier:+}"] * bool(
        modifier
    )
    return result(
        f"{notation} = {total}   ({', '.join(shown)})",
        {
            "notation": notation,
            "total": total,
            "rolls": rolls,
            "modifier": modifier,
            "minimum": sum(low for low, _ in bounds) + modifier,
            "maximum": sum(high for _, high in bounds) + modifier,
        },
    )


def coin(arguments: dict[str, Any]) -> dict[str, Any]:
    """Flips coins."""
    count = arguments.get("count", 1)
    if type(count) is not int or not 1 <= count <= MAX_DICE:
        raise ValueError(f"'count' must be a whole number from 1 to {MAX_DICE}")
    flips = [_random.choice(("heads", "tails")) for _ in range(count)]
    heads = flips.count("heads")
    said = flips[0] if count == 1 else f"{heads} × heads, {count - heads} × tails"
    return result(said, {"flips": flips, "heads": heads, "tails": count - heads})


# --- what clients see -------------------------------------------------------------------------------------------

INTEGERS = {"type": "array", "items": {"type": "integer"}}
TOOLS = [
    {
        "name": "roll",
        "title": "Roll dice",
        "description": f"Rolls dice. For the notation, {HINT}; terms are added and subtracted.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "dice": {
                    "type": "string",
                    "description": "What to roll",
                    "examples": ["3d6+2", "d20", "4d6kh3"],
                    "default": "1d6",
                }
            },
        },
        "outputSchema": {
            "type": "object",
            "properties": {
                "notation": {"type": "string"},
                "total": {"type": "integer"},
                "rolls": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "dice": {"type": "string"},
                            "faces": INTEGERS,
                            "kept": INTEGERS,
                            "sum": {"type": "integer"},
                        },
                        "required": ["dice", "faces", "kept", "sum"],
                    },
                },
                "modifier": {"type": "integer"},
                "minimum": {"type": "integer", "description": "The least that could be rolled"},
                "maximum": {"type": "integer", "description": "The most that could be rolled"},
            },
            "required": ["notation", "total", "rolls", "modifier", "minimum", "maximum"],
        },
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        "name": "coin",
        "title": "Flip coins",
        "description": "Flips one coin, or many.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "minimum": 1, "maximum": MAX_DICE, "default": 1}
            },
        },
        "outputSchema": {
            "type": "object",
            "properties": {
                "flips": {"type": "array", "items": {"enum": ["heads", "tails"]}},
                "heads": {"type": "integer"},
                "tails": {"type": "integer"},
            },
            "required": ["flips", "heads", "tails"],
        },
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
]
CALLS = {"roll": roll, "coin": coin}


def initialize(params: dict[str, Any]) -> dict[str, Any]:
    """The handshake."""
    wanted = params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "dice", "title": "Dice", "version": "1.0.0"},
        "instructions": "Rolls dice and flips coins with the system's own random source.",
    }


# --- the protocol -----------------------------------------------------------------------------------------------

VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


class Fault(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def result(text: str, structured: dict[str, Any]) -> dict[str, Any]:
    """What a tool returns: in words and as data."""
    return {"content": [{"type": "text", "text": text}], "structuredContent": structured}


def call(params: dict[str, Any]) -> dict[str, Any]:
    """Calls a tool; what the model can mend (a ValueError) is told to the model."""
    name, arguments = params.get("name"), params.get("arguments") or {}
    if name not in list(CALLS) or not isinstance(arguments, dict):
        raise Fault(-32602, f"there is no tool {name!r} that takes such arguments")
    try:
        return CALLS[name](arguments)
    except ValueError as error:
        return {"content": [{"type": "text", "text": str(error)}], "isError": True}


METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "initialize": initialize,
    "ping": lambda _: {},
    "tools/list": lambda _: {"tools": TOOLS},
    "tools/call": call,
}


def answer(line: bytes) -> dict[str, Any] | None:
    """The answer to one line; None where none is due."""
    request_id = None
    try:
        message = parse(line)
        if "id" not in message or "method" not in message:
            return None  # a notification, or an answer: we never ask
        request_id = message["id"]
        return {"jsonrpc": "2.0", "id": request_id, "result": dispatch(message)}
    except Fault as fault:
        error = {"code": fault.code, "message": str(fault)}
        return {"jsonrpc": "2.0", "id": request_id, "error": error}


def parse(line: bytes) -> dict[str, Any]:
    """The JSON-RPC message on a line."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Fault(-32700, "this line is not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("method", ""), str):
        raise Fault(-32600, "this is not a JSON-RPC message")
    return message


def dispatch(message: dict[str, Any]) -> dict[str, Any]:
    """The result of a request."""
    method, params = METHODS.get(message["method"]), message.get("params", {})
    if method is None:
        raise Fault(-32601, f"there is no method {message['method']!r}")
    if not isinstance(params, dict):
        raise Fault(-32602, "params must be an object")
    return method(params)


def main() -> None:
    """Answers line by line until stdin ends."""
    for line in sys.stdin.buffer:
        said = answer(line) if line.strip() else None
        if said is not None:
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
