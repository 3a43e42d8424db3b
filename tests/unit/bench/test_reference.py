"""The committed run, and the page that shows it."""

from __future__ import annotations

import platform
from pathlib import Path

import msgspec
import pytest

from bench.charts import charts
from bench.document import PAGE, with_tables, written
from bench.figures import REFERENCE, Results, read_results, write_results
from bench.plan import FULL
from bench.plots import PLOTS
from bench.report import report
from bench.rows import ROWS
from bench.subjects import SUBJECTS


@pytest.fixture
def reference() -> Results:
    """The committed run."""
    return read_results(REFERENCE)


def test_the_page_shows_the_committed_figures(reference: Results) -> None:
    """After a new reference run, `python -m bench --write-docs` brings the page up to date."""
    assert written(PAGE.read_text(encoding="utf-8")).strip() == report(reference, ROWS).strip()


def test_the_committed_run_is_a_full_one_with_everybody_in_it(reference: Results) -> None:
    """A quick run, or one without a row or a peer, is no reference."""
    assert reference.plan == FULL
    assert {figures.number for figures in reference.rows} <= {row.number for row in ROWS}
    assert {figures.subject for figures in reference.peers} == set(SUBJECTS)
    assert reference.skipped == ()


def test_every_plot_of_the_committed_run_is_on_the_page(reference: Results) -> None:
    """As SVG, with the PNG a click away; both were drawn."""
    page = PAGE.read_text(encoding="utf-8")
    names = {chart.name for chart in charts(reference, ROWS)}
    assert names == {path.stem for path in PLOTS.iterdir()}
    for name in names:
        assert f"(plots/{name}.svg)](plots/{name}.png)" in page
        assert (PLOTS / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")
        assert (PLOTS / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_no_measurement_of_the_committed_run_broke(reference: Results) -> None:
    """A row may miss its target, or wait for what is not built yet; both are said on the page."""
    assert [figures.failed for figures in reference.rows if figures.failed] == []


def test_the_committed_run_does_not_name_its_machine(reference: Results) -> None:
    """Neither a host name nor a path is in it."""
    text = msgspec.json.encode(reference).decode()
    assert platform.node() not in text
    assert "/home/" not in text
    assert "/tmp" not in text


def test_a_run_is_read_as_it_was_written(reference: Results, tmp_path: Path) -> None:
    """Results are data: nothing is lost on disk."""
    path = tmp_path / "results" / "run.json"
    write_results(reference, path)
    assert read_results(path) == reference


def test_writing_tables_leaves_the_rest_of_the_page() -> None:
    """Writing twice is writing once, and people's words stay."""
    page = PAGE.read_text(encoding="utf-8")
    tables = report(read_results(REFERENCE), ROWS)
    other = with_tables(page, "others\n")
    assert written(other).strip() == "others"
    assert with_tables(other, tables) == with_tables(page, tables)


def test_a_page_without_markers_is_refused() -> None:
    """Nothing is overwritten by guess."""
    with pytest.raises(ValueError, match="markers"):
        written("# Performance\n")
