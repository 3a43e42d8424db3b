"""gateway/runtimes/container_config.py: what the engine is told."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog.model import ContainerLaunch, Mount
from gateway.errors import StartFailed
from gateway.runtimes.container_config import (
    Owner,
    Place,
    container_config,
    container_name,
    further_networks,
    labels,
)

HERE = Place()
LAUNCH = ContainerLaunch(image="img", memory_bytes=100, cpus=0.5, pids=7)


def config(place: Place = HERE, *, interactive: bool = True, **changes: object) -> dict:
    """The configuration of a launch with some changes."""
    launch = msgspec.structs.replace(LAUNCH, **changes)
    return container_config(launch, place, labels={"a": "b"}, interactive=interactive)


@given(st.text(max_size=100))
def test_names_are_always_valid(server: str) -> None:
    """Any server name makes a name that engines take, and that `grep mcp` finds."""
    assert re.fullmatch(r"mcp-[a-zA-Z0-9_.-]{1,48}-[0-9a-f]{8}", container_name(server))


def test_names_stay_readable() -> None:
    """What can be kept of a name is kept."""
    assert container_name("GitHub (official)").startswith("mcp-GitHub-official-")


def test_labels_name_the_owner() -> None:
    """Home, gateway, server and spec, and those of Docker's own gateway."""
    assert labels("s", "hash", Owner("home", "instance")) == {
        "mcpgw.home": "home",
        "mcpgw.instance": "instance",
        "mcpgw.server": "s",
        "mcpgw.spec": "hash",
        "docker-mcp": "true",
        "docker-mcp-tool-type": "mcp",
        "docker-mcp-name": "s",
        "docker-mcp-transport": "stdio",
    }


def test_every_container_is_confined() -> None:
    """Init, no new privileges, no capabilities, and limits are never left out."""
    host = config(caps=("NET_RAW",))["HostConfig"]
    assert host["Init"] is True
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == ["NET_RAW"]
    assert host["PidsLimit"] == 7
    assert host["Memory"] == host["MemorySwap"] == 100
    assert host["NanoCpus"] == 500_000_000
    assert host["LogConfig"]["Type"] == "none"


def test_a_server_reads_and_a_tool_does_not() -> None:
    """A server's stdin ends with our connection; one that runs to its end has none, and outlives its exit."""
    server, tool = config(), config(interactive=False)
    assert (server["OpenStdin"], server["StdinOnce"], server["Tty"]) == (True, True, False)
    assert server["HostConfig"]["AutoRemove"] is True
    assert (tool["OpenStdin"], tool["StdinOnce"]) == (False, False)
    assert tool["HostConfig"]["AutoRemove"] is False


def test_environment_command_and_hosts() -> None:
    """What the entry says goes through; without a command the image's own counts."""
    made = config(env={"A": "1", "B": "x=y"}, command=("-v", "x"), extra_hosts=("h:1.2.3.4",))
    assert made["Env"] == ["A=1", "B=x=y"]
    assert made["Cmd"] == ["-v", "x"]
    assert made["HostConfig"]["ExtraHosts"] == ["h:1.2.3.4"]
    assert "Cmd" not in config()
    assert "User" not in config()


@pytest.mark.parametrize(
    ("disabled", "networks", "mode", "further"),
    [
        (False, (), None, ()),
        (True, (), "none", ()),
        (False, ("a", "b", "c"), "a", ("b", "c")),
        (True, ("a", "b"), "none", ()),
    ],
)
def test_networks(
    *, disabled: bool, networks: tuple[str, ...], mode: str | None, further: tuple[str, ...]
) -> None:
    """No network where it is disabled; else those of the gateway's own container; else the engine's default."""
    place = Place(networks=networks)
    launch = msgspec.structs.replace(LAUNCH, disable_network=disabled)
    assert config(place, disable_network=disabled)["HostConfig"].get("NetworkMode") == mode
    assert further_networks(launch, place) == further


def test_mounts(tmp_path: Path) -> None:
    """Volumes and binds are mounts, which never create a missing path."""
    mounts = (
        Mount(source=str(tmp_path), target="/a", bind=True, read_only=True),
        Mount(source="data", target="/b"),
    )
    assert config(mounts=mounts)["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": str(tmp_path), "Target": "/a", "ReadOnly": True},
        {"Type": "volume", "Source": "data", "Target": "/b", "ReadOnly": False},
    ]


def test_a_missing_bind_source_is_named(tmp_path: Path) -> None:
    """It is an error that says which path, for which target; where we cannot look, the engine decides."""
    mounts = (Mount(source=str(tmp_path / "gone"), target="/a", bind=True),)
    with pytest.raises(StartFailed, match=f"{tmp_path}/gone, to be mounted at /a, does not exist"):
        config(mounts=mounts)
    assert config(Place(local_files=False), mounts=mounts)["HostConfig"]["Mounts"]


def test_binds_choose_the_user(tmp_path: Path) -> None:
    """Who binds a path and names no user runs as the owner of that path, the writable one first."""
    mine = Mount(source=str(tmp_path), target="/a", bind=True)
    roots = Mount(source="/usr", target="/b", bind=True, read_only=True)
    status = tmp_path.stat()
    expected = f"{status.st_uid}:{status.st_gid}"
    assert config(mounts=(roots, mine))["User"] == expected
    assert config(mounts=(mine,), user="7:8")["User"] == "7:8"
    assert config(mounts=(roots,))["User"] == "0:0"


def test_where_user_ids_mean_nothing(tmp_path: Path) -> None:
    """On a rootless or a remote engine our ids would be others' ids."""
    mounts = (Mount(source=str(tmp_path), target="/a", bind=True),)
    assert "User" not in config(Place(maps_users=True), mounts=mounts)
    assert "User" not in config(Place(local_files=False), mounts=mounts)


def test_a_dangling_link_is_left_to_the_engine(tmp_path: Path) -> None:
    """A link may lead somewhere on the engine's side (Docker Desktop): it is no missing path."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    mounts = (Mount(source=os.fspath(tmp_path / "link"), target="/a", bind=True),)
    assert "User" not in config(mounts=mounts)
