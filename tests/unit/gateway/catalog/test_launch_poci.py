"""Tools that are one container a call: what a call's arguments fill in, and what they cannot do."""

from __future__ import annotations

import msgspec
import pytest

from gateway.catalog.launch import prepare_tool
from gateway.catalog.model import ContainerLaunch, Mount, PociLaunch
from gateway.errors import CatalogError
from tests.unit.gateway.catalog.test_launch import MIB, launched

POCI = (
    "{tools: [{name: t, container: {image: i, command: ['$K', '{{args|into}}'],"
    " volumes: ['{{folder|volume}}'], user: '{{user}}'}}], secrets: [{name: shared, env: K}],"
    " disableNetwork: true}"
)


def poci() -> PociLaunch:
    """The launch of a poci entry."""
    launch = launched(POCI, {"a": 1}).launch
    assert isinstance(launch, PociLaunch)
    return launch


def test_poci_launch_keeps_templates_for_the_call() -> None:
    """Its config travels as JSON."""
    launch = poci()
    assert launch.tools[0].command == ("$K", "{{args|into}}")
    assert msgspec.json.decode(launch.config) == {"a": 1}
    assert launch.env == {"K": "both"}


def test_tool_is_filled_with_the_arguments_of_a_call() -> None:
    """Arguments are never expanded: `$K` from a client is text."""
    launch = poci()
    filled = prepare_tool(
        launch,
        launch.tools[0],
        {"args": ["-x", "$K"], "folder": "/srv/a", "user": "1000"},
        server="p",
    )
    assert filled == ContainerLaunch(
        image="i",
        command=("both", "-x", "$K"),
        env={"K": "both"},
        mounts=(Mount("/srv/a", "/srv/a", bind=True),),
        user="1000",
        disable_network=True,
        memory_bytes=64 * MIB,
        cpus=1.0,
        pids=100,
    )


@pytest.mark.parametrize(
    "arguments",
    [{"folder": "/etc"}, {"folder": "/srv:/x:rw,/y"}, {"user": "--privileged"}, {"folder": "-v"}],
)
def test_arguments_cannot_widen_what_a_tool_may_do(arguments: dict[str, str]) -> None:
    """A model's arguments obey the rules for mounts and users."""
    launch = poci()
    with pytest.raises(CatalogError):
        prepare_tool(launch, launch.tools[0], arguments, server="p")
