"""An MCP server that knows the time. Standard library only, Python 3.9 or newer; speaks JSON-RPC lines on stdin and stdout."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

# --- time -------------------------------------------------------------------------------------------------------

_OFFSET = re.compile(
    r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>[0-9]{1,2})(?::?(?P<minutes>[0-5][0-9]))?", re.IGNORECASE
)
MAX_ZONES = 50


@lru_cache(maxsize=1)
def zone_names() -> dict[str, str]:
    """All zones of this machine, by their lower-case name. Empty where the system has no tzdata."""
    return {name.lower(): name for name in sorted(available_timezones())}


def find_zone(name: object) -> tuple[str, tzinfo]:
    """The zone that a person means, with its proper name."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError("a time zone must be a name such as Europe/Berlin, UTC or +02:00")
    wanted = name.strip().replace(" ", "_")
    if wanted.upper() in {"UTC", "GMT", "Z"}:
        return "UTC", timezone.utc
    if offset := _OFFSET.fullmatch(wanted):
        return _fixed(offset)
    known = zone_names()
    if wanted.lower() in known:
        proper = known[wanted.lower()]
        return proper, ZoneInfo(proper)
    raise ValueError(_unknown(name, wanted.lower(), known))


def _fixed(offset: re.Match[str]) -> tuple[str, tzinfo]:
    size = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"] or 0))
    if size >= timedelta(hours=24):
        raise ValueError(f"{offset[0]!r} is no time zone: offsets end before 24 hours")
    zone = timezone(-size if offset["sign"] == "-" else size)
    return str(zone), zone


def _unknown(name: str, wanted: str, known: dict[str, str]) -> str:
    if not known:
        return (
            f"{name!r} is not known: this system has no time zone data (tzdata), so only UTC and "
            "offsets such as +02:00 can be used"
        )
    cities = {lower.rsplit("/", 1)[-1]: proper for lower, proper in known.items()}
    near = [cities[city] for city in get_close_matches(wanted.rsplit("/", 1)[-1], cities, n=3)]
    hint = f"did you mean {', '.join(near)}?" if near else "read clock://zones for all names"
    return f"there is no time zone {name!r}; {hint}"


def parse_time(text: object, zone: tzinfo) -> datetime:
    """A local time in `zone`: an ISO date and time, or a time of today."""
    if not isinstance(text, str):
        raise ValueError("'time' must be a text such as 2026-03-29T09:30 or 09:30")  # noqa: TRY004 — the model can mend it
    written = text.strip()
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", written):
        written = (
            f"{datetime.now(zone).date()}T{written.rjust(8 if written.count(':') > 1 else 5, '0')}"
        )
    try:
        moment = datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not a time; write it like 2026-03-29T09:30 or 09:30"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def oddity(moment: datetime) -> str:
    """What is strange about a local time: that clocks skip it, or show it twice. Empty where nothing is."""
    if moment.utcoffset() == moment.replace(fold=1).utcoffset():
        return ""
    back = moment.astimezone(timezone.utc).astimezone(moment.tzinfo)
    if back.replace(tzinfo=None) != moment.replace(tzinfo=None):
        return f"clocks in {moment.tzinfo} skip {moment:%H:%M} on that day; {back:%H:%M} was taken"
    return f"clocks in {moment.tzinfo} show {moment:%H:%M} twice on that day; the first was taken"


def shown(name: str, moment: datetime) -> dict[str, Any]:
    """A moment as data."""
    return {
        "zone": name,
        "time": moment.isoformat(timespec="seconds"),
        "weekday": moment.strftime("%A"),
        "utc_offset": moment.strftime("%z")[:3] + ":" + moment.strftime("%z")[3:5],
        "daylight_saving": bool(moment.dst()),
    }


def said(entry: dict[str, Any]) -> str:
    """The same in words."""
    date, clock = entry["time"][:19].split("T")
    return f"{entry['zone']}: {entry['weekday']}, {date} {clock} (UTC{entry['utc_offset']})"


def now(arguments: dict[str, Any]) -> dict[str, Any]:
    """The present time in one zone."""
    name, zone = find_zone(arguments.get("zone", "UTC"))
    entry = shown(name, datetime.now(zone))
    return result(said(entry), entry)


def convert(arguments: dict[str, Any]) -> dict[str, Any]:
    """One moment in other zones."""
    targets = arguments.get("to")
    targets = targets if isinstance(targets, list) else [targets]
    if not 0 < len(targets) <= MAX_ZONES:
        raise ValueError(f"'to' must name 1 to {MAX_ZONES} time zones")
    name, zone = find_zone(arguments.get("from", "UTC"))
    moment = parse_time(arguments.get("time"), zone)
    try:
        note = oddity(moment)
        start = shown(name, moment.astimezone(timezone.utc).astimezone(zone))
        there = [shown(found, moment.astimezone(tz)) for found, tz in map(find_zone, targets)]
    except OverflowError as error:
        raise ValueError("that is too close to the beginning or the end of the calendar") from error
    data = {"from": start, "to": there, "note": note}
    lines = [said(start), *map(said, there), *[f"Note: {note}"] * bool(note)]
    return result("\n".join(lines), data)


# --- what clients see -------------------------------------------------------------------------------------------

ZONE = {
    "type": "string",
    "description": "A name such as Europe/Berlin, UTC, or an offset such as +02:00",
}
MOMENT = {
    "type": "object",
    "properties": {
        "zone": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "weekday": {"type": "string"},
        "utc_offset": {"type": "string"},
        "daylight_saving": {"type": "boolean"},
    },
    "required": ["zone", "time", "weekday", "utc_offset", "daylight_saving"],
}
TOOLS = [
    {
        "name": "now",
        "title": "Tell the time",
        "description": "Tells the present date and time in a time zone.",
        "inputSchema": {"type": "object", "properties": {"zone": {**ZONE, "default": "UTC"}}},
        "outputSchema": MOMENT,
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        "name": "convert",
        "title": "Convert a time",
        "description": "Converts a date and time from one time zone to others, daylight saving included.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "time": {
                    "type": "string",
                    "description": "Local time as 2026-03-29T09:30, or 09:30 for today",
                },
                "from": {**ZONE, "default": "UTC"},
                "to": {
                    "anyOf": [
                        ZONE,
                        {"type": "array", "items": ZONE, "minItems": 1, "maxItems": MAX_ZONES},
                    ],
                    "description": "One time zone or several",
                },
            },
            "required": ["time", "to"],
        },
        "outputSchema": {
            "type": "object",
            "properties": {
                "from": MOMENT,
                "to": {"type": "array", "items": MOMENT},
                "note": {
                    "type": "string",
                    "description": "Set where clocks skip or repeat the time",
                },
            },
            "required": ["from", "to", "note"],
        },
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
]
CALLS = {"now": now, "convert": convert}

ZONES_URI, NOW_URI = "clock://zones", "clock://now/"
RESOURCES = [
    {
        "uri": ZONES_URI,
        "name": "zones",
        "title": "Time zones",
        "description": "The names of all time zones, one a line.",
        "mimeType": "text/plain",
    },
    {
        "uri": f"{NOW_URI}UTC",
        "name": "now",
        "title": "The time in UTC",
        "description": "The present time; for other zones use the template.",
        "mimeType": "application/json",
    },
]
TEMPLATES = [
    {
        "uriTemplate": f"{NOW_URI}{{+zone}}",
        "name": "now-in-zone",
        "title": "The time in a zone",
        "description": "The present time in a zone, e.g. clock://now/Europe/Berlin.",
        "mimeType": "application/json",
    }
]
PROMPTS = [
    {
        "name": "plan_meeting",
        "title": "Plan a meeting",
        "description": "Finds a time for a meeting that suits people in several time zones.",
        "arguments": [
            {
                "name": "zones",
                "description": "Time zones of the people, separated by commas",
                "required": True,
            },
            {"name": "topic", "description": "What the meeting is about"},
            {"name": "minutes", "description": "How long it takes (default: 30)"},
        ],
    }
]


def read_resource(params: dict[str, Any]) -> dict[str, Any]:
    """The list of zones, or the time in one."""
    uri = str(params.get("uri"))
    if uri == ZONES_URI:
        return contents(uri, "text/plain", "\n".join(zone_names().values()) or "UTC")
    if not uri.startswith(NOW_URI):
        raise Fault(-32002, f"there is no resource {uri!r}")
    try:
        name, zone = find_zone(uri[len(NOW_URI) :])
    except ValueError as error:
        raise Fault(-32002, str(error)) from error
    return contents(uri, "application/json", json.dumps(shown(name, datetime.now(zone))))


def contents(uri: str, mime_type: str, text: str) -> dict[str, Any]:
    """A text resource."""
    return {"contents": [{"uri": uri, "mimeType": mime_type, "text": text}]}


def get_prompt(params: dict[str, Any]) -> dict[str, Any]:
    """The words that set a model to work on a meeting."""
    arguments = params.get("arguments") or {}
    if params.get("name") != "plan_meeting" or not isinstance(arguments, dict):
        raise Fault(-32602, f"there is no prompt {params.get('name')!r}")
    try:
        zones = [find_zone(zone) for zone in str(arguments.get("zones", "")).split(",")][:MAX_ZONES]
    except ValueError as error:
        raise Fault(-32602, f"'zones' cannot be used: {error}") from error
    clocks = "\n".join(f"- {said(shown(name, datetime.now(zone)))}" for name, zone in zones)
    topic = f" about {arguments['topic']}" if arguments.get("topic") else ""
    text = (
        f"Plan a meeting of {arguments.get('minutes') or 30} minutes{topic}. The people are in these time zones, "
        f"where it is now:\n{clocks}\n"
        "Propose three times within the next working days that lie between 8:00 and 18:00 for as many as possible. "
        "Check each with the tool `convert`, show it in every zone, and say whom it suits least."
    )
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {"description": PROMPTS[0]["description"], "messages": [message]}


def initialize(params: dict[str, Any]) -> dict[str, Any]:
    """The handshake."""
    wanted = params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
        "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": "clock", "title": "Clock", "version": "1.0.0"},
        "instructions": "Zones are IANA names (Europe/Berlin), UTC, or offsets (+02:00).",
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
    "resources/list": lambda _: {"resources": RESOURCES},
    "resources/templates/list": lambda _: {"resourceTemplates": TEMPLATES},
    "resources/read": read_resource,
    "prompts/list": lambda _: {"prompts": PROMPTS},
    "prompts/get": get_prompt,
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
