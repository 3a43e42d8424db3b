"""What a serving gateway tells its operator: URLs, the token, and entries to paste into clients. Pure.

Must not print: on stdio, stdout belongs to the protocol.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.cli.verbs import Invocation
from gateway.options import GatewayOptions
from gateway.ports import Announcement

_LABELS: Final[Mapping[str, str]] = {
    "streaming": "Streamable HTTP",
    "sse": "SSE",
    "ws": "WebSocket",
    "health": "health",
}
_CLIENT_TYPES: Final[Mapping[str, str]] = {"streaming": "http", "sse": "sse", "ws": "ws"}
_NETWORK_FLAGS: Final = frozenset(
    {"--transport", "--port", "--host", "--allow-host", "--allow-origin", "--tls-cert", "--tls-key"}
)
_NETWORK_SWITCHES: Final = frozenset({"--allow-unauthenticated"})
_CARRIED: Final = ("MCPGW_HOME", "DOCKER_HOST", "DOCKER_CONTEXT")
"""Variables that decide what is served; a desktop client starts programs without the shell's."""
_PLACEHOLDER: Final = "YOUR_TOKEN"
_INITIALIZE: Final = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    '"capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}'
)


def welcome(
    announcement: Announcement, options: GatewayOptions, invocation: Invocation
) -> tuple[str, ...]:
    """The lines to print once the gateway serves; one line on stdio, where clients hide them anyway."""
    count = len(announcement.servers)
    names = f" ({', '.join(announcement.servers)})" if count else ""
    lines = [f"mcpgw: serving {count} server{'' if count == 1 else 's'}{names}"]
    lines += [f"mcpgw: {sentence}" for sentence in (*announcement.notes, *_exposed(options))]
    if announcement.urls:
        lines += ["", *_addresses(announcement, options), *_desktop(options, invocation)]
        lines += [*_http_client(announcement, options), *_curl(announcement, options)]
    return tuple(lines)


def program_command(invocation: Invocation) -> tuple[str, ...]:
    """The words that start this program from anywhere: absolute paths, no shell."""
    if invocation.program[0] != "mcpgw":
        return invocation.program
    script = Path(invocation.script).absolute()
    if script.name == "__main__.py":
        return (sys.executable, "-m", "gateway.cli")
    if not script.is_file():
        return ("mcpgw",)
    if os.access(script, os.X_OK) and script.suffix != ".py":
        return (str(script),)
    return (sys.executable, str(script))


def stdio_words(words: Sequence[str]) -> tuple[str, ...]:
    """The words of this run for a stdio entry: no network flags, and paths absolute."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag in _NETWORK_FLAGS:
            if not equals:
                next(rest, None)
        elif flag not in _NETWORK_SWITCHES:
            kept.append(f"{flag}={_absolute(value)}" if equals else _absolute(word))
    return tuple(kept)


def _exposed(options: GatewayOptions) -> list[str]:
    """What other machines can do; in a container that is for whoever publishes the port to decide."""
    if options.transport == "stdio" or options.in_container or not options.host:
        return []
    # lazy: a gateway on stdio, which must start fast, does without it
    from gateway.auth.origin import network_rules  # noqa: PLC0415 - see above

    if network_rules(hosts=(options.host,)).loopback:
        return []
    sentences = []
    if options.allow_unauthenticated:
        sentences.append(
            f"whoever reaches {options.host} may call every tool: no token is asked for"
        )
    if not options.tls_cert:
        sentences.append(
            f"what other machines send to {options.host} is not encrypted: name a certificate with --tls-cert, or have a "
            "proxy in front do that"
        )
    return sentences


def _addresses(announcement: Announcement, options: GatewayOptions) -> list[str]:
    """The URLs, the one that was asked for first, and the token."""
    ordered = sorted(announcement.urls, key=lambda name: name != options.transport)
    rows = [(_LABELS.get(name, name), announcement.urls[name]) for name in ordered]
    if announcement.token:
        rows.append(("token", announcement.token))
    elif options.allow_unauthenticated:
        rows.append(("token", "none is asked for (--allow-unauthenticated)"))
    else:
        rows.append(("token", "the one that you gave"))
    width = max(len(label) for label, _ in rows)
    return [f"  {label:<{width}}  {value}" for label, value in rows]


def _desktop(options: GatewayOptions, invocation: Invocation) -> list[str]:
    """The entry for a client that starts the gateway by itself, over stdio."""
    if options.in_container:
        return []
    command, *first = program_command(invocation)
    words = stdio_words(invocation.words)
    words = words if words[:2] == ("gateway", "run") else ("gateway", "run", *words)
    entry: dict[str, Any] = {"command": command, "args": [*first, *words]}
    if carried := {
        name: invocation.environ[name] for name in _CARRIED if name in invocation.environ
    }:
        entry["env"] = carried
    return ["", "  For a desktop client, which starts its own (stdio, no token):", *_entry(entry)]


def _http_client(announcement: Announcement, options: GatewayOptions) -> list[str]:
    """The entry for a client that connects to the URL."""
    if options.transport not in announcement.urls:
        return []
    url = announcement.urls[options.transport]
    entry: dict[str, Any] = {"type": _CLIENT_TYPES.get(options.transport, "http"), "url": url}
    if not options.allow_unauthenticated:
        entry["headers"] = {"Authorization": f"Bearer {announcement.token or _PLACEHOLDER}"}
    return ["", "  For a client that connects to this one:", *_entry(entry)]


def _curl(announcement: Announcement, options: GatewayOptions) -> list[str]:
    """One command that shows that it works."""
    if "streaming" not in announcement.urls:
        return []
    words = ["curl -sS", announcement.urls["streaming"]]
    if options.tls_cert:
        words.append(f"--cacert {options.tls_cert}")
    if not options.allow_unauthenticated:
        words.append(f"-H 'Authorization: Bearer {announcement.token or _PLACEHOLDER}'")
    words.append("-H 'Content-Type: application/json'")
    words.append("-H 'Accept: application/json, text/event-stream'")
    words.append(f"-d '{_INITIALIZE}'")
    return ["", "  To see it answer:", f"  {' '.join(words)}", ""]


def _entry(entry: Mapping[str, Any]) -> list[str]:
    """An entry as it stands in a client's file."""
    text = msgspec.json.encode({"mcpServers": {"mcpgw": entry}})
    return [f"  {line}" for line in msgspec.json.format(text, indent=2).decode().splitlines()]


def _absolute(value: str) -> str:
    """A relative path that exists, made absolute; lists item by item; anything else as it is."""
    return ",".join(
        str(Path(item).absolute()) if "/" in item and Path(item).exists() else item
        for item in value.split(",")
    )
