"""Where files are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.catalog.sources import home_catalogs, is_url, locate, locate_catalog, starter_path
from gateway.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with three catalogs."""
    made = Home(tmp_path / "home")
    made.catalogs.mkdir(parents=True)
    for name in ("zeta.yml", "docker-mcp.yaml", "alpha.json", ".hidden.yaml", "notes.txt"):
        (made.catalogs / name).write_text("registry: {}")
    return made


def test_dockers_catalog_comes_first_then_names(home: Home) -> None:
    """Later ones win, so the operator's own override Docker's."""
    assert [path.name for path in home_catalogs(home)] == [
        "docker-mcp.yaml",
        "alpha.json",
        "zeta.yml",
    ]
    assert home_catalogs(Home(home.root / "nowhere")) == ()


def test_names_paths_and_container_paths(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that exists, else the home; `/mcp/x` on a host means the home's `x`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.yaml").write_text("")
    assert locate("here.yaml", home, home.catalogs) == tmp_path / "here.yaml"
    assert locate("zeta.yml", home, home.catalogs) == home.catalogs / "zeta.yml"
    assert locate("/mcp/catalogs/zeta.yml", home, home.catalogs) == home.catalogs / "zeta.yml"
    assert locate("/mcp/registry.yaml", home, home.root) == home.registry
    assert locate("/no/such", home, home.root) == Path("/no/such")
    assert locate("./none.yaml", home, home.root) == tmp_path / "none.yaml"


def test_catalog_suffix_may_be_left_out(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--catalog docker-mcp` as people write it, even beside a folder of that name."""
    assert locate_catalog("docker-mcp", home) == home.catalogs / "docker-mcp.yaml"
    assert locate_catalog("alpha", home) == home.catalogs / "alpha.json"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zeta").mkdir()
    assert locate_catalog("zeta", home) == home.catalogs / "zeta.yml"
    assert locate_catalog("/", home) == Path("/")
    assert locate_catalog("nobody", home) == home.catalogs / "nobody"


def test_starter_is_built_in_unless_the_home_has_one(home: Home) -> None:
    """An operator's file of that name wins."""
    assert locate_catalog("starter", home) == starter_path()
    assert starter_path().parent.name == "catalogs"
    (home.catalogs / "starter.yaml").write_text("registry: {}")
    assert locate_catalog("starter", home) == home.catalogs / "starter.yaml"


def test_urls_are_told_from_names() -> None:
    """Any scheme counts; which ones are allowed is decided later."""
    assert is_url("https://x/y")
    assert is_url("http://x")
    assert not is_url("C:/x.yaml")
    assert not is_url("docker-mcp")
