"""The page that a person sees who opens the gateway's address in a browser: its URLs and ready snippets.

Self-contained, without scripts. It is shown to anybody, so it never holds the token.
"""

from __future__ import annotations

import html
import json
from string import Template
from typing import Final

from gateway.web.page import Page

SECURITY_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""Headers of the page: it loads nothing, runs nothing, and no other page may frame it."""

_OK = 200
_PLACEHOLDER = "YOUR_TOKEN"  # what a reader replaces; the page itself knows no token

_PAGE: Final = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>mcpgw</title>
<style>
  :root { --ink: #1c2430; --soft: #5b6675; --paper: #fbfaf7; --card: #fff; --line: #e3e0d8; --mark: #0b6e5f }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6e9ee; --soft: #9aa5b4; --paper: #14181e; --card: #1b2129; --line: #2c343f; --mark: #5fd0bb }
  }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, sans-serif }
  main { max-width: 46rem; margin: 0 auto; padding: 4rem 1.25rem 5rem }
  h1 { margin: 0; font-size: 2rem; letter-spacing: -.02em }
  h1::before { content: ""; display: inline-block; width: .55em; height: .55em; margin-right: .4em;
    border-radius: 50%; background: var(--mark) }
  h2 { margin: 2.75rem 0 .5rem; font-size: 1.05rem }
  p { margin: .4rem 0; color: var(--soft) }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.5rem; margin: 1.75rem 0 0;
    padding: 1.1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px }
  dt { color: var(--soft) }
  dd { margin: 0; overflow-wrap: anywhere }
  code, pre { font: .875rem/1.55 ui-monospace, Menlo, Consolas, monospace }
  pre { margin: .75rem 0 0; padding: 1rem 1.25rem; overflow-x: auto; background: var(--card);
    border: 1px solid var(--line); border-radius: 12px; user-select: all }
</style>
</head>
<body>
<main>
<h1>mcpgw</h1>
<p>One connection to many MCP servers. This address is for MCP clients; here is what to give them.</p>
<dl>
  <dt>Streamable HTTP</dt><dd><code>$base/mcp</code></dd>
  <dt>SSE</dt><dd><code>$base/sse</code></dd>
  <dt>WebSocket</dt><dd><code>$socket/ws</code></dd>
  <dt>Health</dt><dd><code>$base/health</code></dd>
</dl>
$access
<h2>A client that speaks HTTP</h2>
<pre>$http_entry</pre>
<h2>A desktop client that starts programs</h2>
<p>It starts a gateway of its own; no port, no token. The command must be an absolute path: <code>command -v mcpgw</code> prints it.</p>
<pre>$stdio_entry</pre>
<h2>A first look from a shell</h2>
<pre>$shell</pre>
</main>
</body>
</html>
""")

_NEEDS_TOKEN: Final = (
    f"<p>Clients show a bearer token. <code>mcpgw token show</code> prints it; put it where the snippets say "
    f"<code>{_PLACEHOLDER}</code>.</p>"
)
_OPEN_TO_ALL: Final = "<p>This gateway asks for no token.</p>"


def help_page(base_url: str, *, program: str, token_required: bool) -> Page:
    """The page. `base_url` is how the reader reached us, `program` the command that starts this gateway."""
    entry: dict[str, object] = {"type": "http", "url": f"{base_url}/mcp"}
    header = ""
    if token_required:
        entry["headers"] = {"Authorization": f"Bearer {_PLACEHOLDER}"}
        header = f" -H 'Authorization: Bearer {_PLACEHOLDER}'"
    text = _PAGE.substitute(
        base=html.escape(base_url),
        socket=html.escape(base_url.replace("http", "ws", 1)),
        access=_NEEDS_TOKEN if token_required else _OPEN_TO_ALL,
        http_entry=_entry(entry),
        stdio_entry=_entry({"command": program, "args": ["gateway", "run"]}),
        shell=html.escape(
            f"curl {base_url}/mcp{header} \\\n"
            "  -H 'Content-Type: application/json' \\\n"
            f"  -d '{json.dumps(_INITIALIZE)}'"
        ),
    )
    return Page(_OK, "text/html; charset=utf-8", text.encode())


_INITIALIZE: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "curl", "version": "1"},
    },
}


def _entry(server: dict[str, object]) -> str:
    """An entry of a client's `mcpServers` file, ready for HTML."""
    return html.escape(json.dumps({"mcpServers": {"mcpgw": server}}, indent=2))
