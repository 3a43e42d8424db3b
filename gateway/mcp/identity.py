"""How the gateway introduces itself: to clients as a server, to servers as a client.

Source: MCP 2025-11-25, lifecycle, "Initialization" (`Implementation`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway import __version__

SERVER_INFO: Final = msgspec.Raw(
    msgspec.json.encode({"name": "mcpgw", "title": "MCP gateway", "version": __version__})
)
CLIENT_INFO: Final = msgspec.Raw(msgspec.json.encode({"name": "mcpgw", "version": __version__}))
