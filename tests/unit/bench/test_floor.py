"""The harness against a real engine: the floor, and the homes that the gateway is measured with."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.engine import Engine
from bench.floors.attach import attached_client
from bench.program import GatewayHome
from gateway.catalog.parse import parse_catalog


@pytest.mark.slow
def test_the_floor_is_a_container_that_answers_and_goes(echo_image: str) -> None:
    """One container, attached before its start; nothing of it is left."""
    engine = Engine(echo_image, "Docker")
    with attached_client(engine) as (client, _):
        client.open()
        assert engine.containers(engine.label) == 1
        assert len(client.alone(0.0)) >= 1
        assert client.crowd(8, 0.0) == 8
    assert engine.containers(engine.label) == 0


def test_the_gateway_understands_the_catalog_of_the_bench(tmp_path: Path) -> None:
    """Every entry is a server with a container of its own, and none of them may reach a network."""
    home = GatewayHome(tmp_path, "image:tag", 3)
    path = home.root / "catalogs" / "docker-mcp.yaml"
    parsed = parse_catalog(path.read_bytes(), source=str(path), trusted=True)
    assert not parsed.faults
    assert [(entry.image, entry.disable_network) for entry in parsed.entries] == [
        ("image:tag", True)
    ] * 3
    assert len({entry.name for entry in parsed.entries}) == 3
