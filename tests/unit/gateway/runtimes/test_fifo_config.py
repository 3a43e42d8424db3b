"""gateway/runtimes/fifo_config.py: a shell in front of the server, and when there is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from gateway.runtimes.engine_facts import ImageFacts
from gateway.runtimes.fifo_config import program, why_no_shell, with_pipes
from tests.unit.gateway.runtimes.test_container_config import LAUNCH, config

IMAGE = ImageFacts(id="sha256:1", entrypoint=("/bin/run", "-x"), command=("serve",), env=("PATH",))


def test_the_program_is_the_images_own() -> None:
    """Entrypoint and command, as the engine puts them together."""
    assert program(LAUNCH, IMAGE) == ("/bin/run", "-x", "serve")


def test_an_entrys_command_takes_the_place_of_the_images() -> None:
    """The entrypoint stays, as with `docker run`."""
    launch = msgspec.structs.replace(LAUNCH, command=("other",))
    assert program(launch, IMAGE) == ("/bin/run", "-x", "other")


def test_pipes_are_mounted_singly_and_last() -> None:
    """The rest of the configuration stays as it is, and the original is not touched."""
    plain = config()
    piped = with_pipes(plain, ("a", "b c"), Path("/r/in"), Path("/r/out"))
    assert piped["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": "/r/in", "Target": "/.mcp/in", "ReadOnly": False},
        {"Type": "bind", "Source": "/r/out", "Target": "/.mcp/out", "ReadOnly": False},
    ]
    assert piped["Entrypoint"][0] == "/bin/sh"
    assert piped["Entrypoint"][-2:] == ["a", "b c"]
    assert not piped["OpenStdin"]
    assert piped["HostConfig"]["CapDrop"] == ["ALL"]
    assert plain == config()


def test_the_shell_turns_into_the_program(tmp_path: Path) -> None:
    """The mark, then what the program writes; arguments arrive as they were."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text("input")
    entrypoint = with_pipes(config(), ("printf", "%s|", "a b", "$c", "'"), source, target)[
        "Entrypoint"
    ]
    script = entrypoint[2].replace("/.mcp", str(tmp_path))
    subprocess.run([*entrypoint[:2], script, *entrypoint[3:]], check=True, env=dict(os.environ))
    assert target.read_text() == "\na b|$c|'|"


@pytest.mark.parametrize(
    ("image", "env", "why"),
    [
        (IMAGE, {"TOKEN_2": ""}, ""),
        (msgspec.structs.replace(IMAGE, entrypoint=(), command=()), {}, "neither the image nor"),
        (IMAGE, {"my.setting": "1"}, "'my.setting'"),
        (msgspec.structs.replace(IMAGE, env=("PATH", "a-b")), {}, "'a-b'"),
    ],
)
def test_where_no_shell_can_stand(image: ImageFacts, env: dict[str, str], why: str) -> None:
    """Shells drop variables whose names are none of theirs: such servers are reached without one."""
    found = why_no_shell(msgspec.structs.replace(LAUNCH, env=env), image)
    assert why in found
    assert bool(why) == bool(found)
