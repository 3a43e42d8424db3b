"""The options of `gateway run` as one frozen record. Parsing flags is `gateway.cli`'s business.

Defaults that differ inside a container are filled in by `gateway.cli.flags`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Transport = Literal["stdio", "sse", "streaming", "ws"]
NameMode = Literal["auto", "prefix", "bare"]
LinkMode = Literal["auto", "fifo", "attach"]


class GatewayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the gateway was asked to do. Names follow the flags; docs/flags.md lists them."""

    # What to serve.
    home: str
    """Absolute path of the home folder."""
    catalogs: tuple[str, ...] = ()
    """Catalog files, names in the home, or https URLs; later ones win. Empty: all of the home."""
    additional_catalogs: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    additional_registries: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    additional_configs: tuple[str, ...] = ()
    tools_configs: tuple[str, ...] = ()
    additional_tools_configs: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """Exactly these servers, whatever the registry says."""
    enable_all_servers: bool = False
    tools: tuple[str, ...] = ()
    """`*`, `tool`, `server:tool`, `server:*`; replaces tools.yaml."""
    secrets: str = ""
    """Colon-separated secret sources; "" for the default."""
    watch: bool = True

    # How to serve.
    transport: Transport = "stdio"
    host: str = ""
    """Address to bind; "" for the default: loopback on a host, every interface in a container."""
    port: int = 8811
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    allow_unauthenticated: bool = False
    tls_cert: str = ""
    tls_key: str = ""
    fast_lane: bool = True
    """Serve what is hot on HTTP without hypercorn."""
    names: NameMode = "auto"
    schema_compat: bool = False
    """Show tools with simple schemas, for clients that choke on JSON Schema 2020-12."""
    drain_timeout_s: float = 10.0
    session_store: bool = False
    """Keep sessions of Streamable HTTP for the next gateway of this home."""

    # How to run servers.
    cpus: float | None = None
    memory_bytes: int | None = None
    memory_budget_bytes: int | None = None
    """What all containers may use together while they are idle; None for no budget."""
    long_lived: bool = False
    retry: bool = False
    """Send a call once more that may have been executed, where its tool says that this does no harm."""
    link: LinkMode = "auto"
    """How bytes travel to containers: named pipes where they work, else the engine's attach stream; or one of the two."""
    static: bool = False
    isolation: Literal["session", "principal", "call", "shared"] | None = None
    local_fallback: bool = False
    """Run entries that have a `process` form as local processes where no engine is in reach (`make run`)."""
    without_engine: bool = False
    """The command line has looked: no engine is in reach, or it cannot have the images."""

    # What to say.
    debug: bool = False
    verbose: bool = False
    log_calls: bool = True
    log_file: str = ""
    dry_run: bool = False
    in_container: bool = False
