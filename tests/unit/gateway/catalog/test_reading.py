"""The files of one run as they are found on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.catalog.reading import Reading
from gateway.errors import CatalogError
from gateway.home import Home
from gateway.options import GatewayOptions


def test_pipes_in_the_home_are_faults_and_not_waited_for(tmp_path: Path) -> None:
    """Nobody would ever write to them; what a flag names may be one, for shells hand over documents like that."""
    home = Home(tmp_path)
    home.catalogs.mkdir()
    for path in (home.catalogs / "a.yaml", home.registry, home.config, home.tools):
        os.mkfifo(path)
    reading = Reading(GatewayOptions(home=str(tmp_path)))
    assert reading.catalogs()[0] == ()
    assert (reading.registries(), reading.configs(), reading.tool_lists()) == ([], [], [])
    assert [fault.reason for fault in reading.faults] == ["cannot be read: it is no file"] * 4
    given, handed_over = os.pipe()
    os.write(handed_over, b"registry: {a: {image: a, description: d}}")
    os.close(handed_over)
    named = Reading(GatewayOptions(home=str(tmp_path), catalogs=(f"/dev/fd/{given}",)))
    ((parsed,), _) = named.catalogs()
    assert [entry.name for entry in parsed.entries] == ["a"]
    os.close(given)


@pytest.mark.parametrize("additional", ["", "additional_"])
@pytest.mark.parametrize("what", ["catalog", "registry", "config", "tools-config"])
def test_what_is_not_there_is_named_with_its_flag(
    tmp_path: Path, what: str, additional: str
) -> None:
    """Whoever gave both flags must know which one to correct."""
    field = what.replace("-", "_").removesuffix("y")
    field = f"{additional}{field}{'ies' if what == 'registry' else 's'}"
    reading = Reading(GatewayOptions(home=str(tmp_path), **{field: ("gone.yaml",)}))
    flag = f"--{additional.replace('_', '-')}{what}"
    with pytest.raises(CatalogError, match=rf"^{flag} \S*gone.yaml: there is no file "):
        _read_all(reading)


def _read_all(reading: Reading) -> None:
    """Everything that a start reads."""
    reading.catalogs()
    reading.registries()
    reading.configs()
    reading.tool_lists()
