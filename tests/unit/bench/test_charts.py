"""What the plots show."""

from __future__ import annotations

import pytest

from bench.charts import charts
from bench.figures import REFERENCE, Results, RowFigures, read_results
from bench.rows import ROWS
from bench.stats import Spread


@pytest.fixture
def measured() -> Results:
    """A run in which row 4 has 0.4 of what it should, and row 10 uses half of its limits."""
    starts = {"import_ms": 100.0, "initialize_ms": 80.0, "list_ms": 100.0, "ready_ms": 150.0}
    return Results(
        taken="2026-01-01",
        programs={},
        machine=read_results(REFERENCE).machine,
        plan=read_results(REFERENCE).plan,
        rows=(
            RowFigures(
                number=4,
                rounds=tuple({"http_fifo_per_s": v, "trio_per_s": 100.0} for v in (20, 40, 80)),
            ),
            RowFigures(number=10, rounds=({**starts, "list_containers": 0.0},)),
        ),
    )


def test_a_target_is_shown_as_the_share_of_its_limit(measured: Results) -> None:
    """Past 1 it is missed, whichever side the limit has; a limit of nothing has no share."""
    (chart,) = charts(measured, ROWS)
    assert chart.mark == 1.0
    throughput, *starts = chart.bars
    assert throughput.spread == Spread(2.0, 1.0, 4.0)
    assert not throughput.good
    assert [(bar.spread.median, bar.good) for bar in starts] == [(0.5, True)] * 3


def test_peers_are_shown_where_they_were_measured() -> None:
    """The committed run has them; floors have no CPU of their own."""
    reference = read_results(REFERENCE)
    _, latency, cpu = charts(reference, ROWS)
    assert len(latency.bars) == len(reference.peers)
    assert latency.bars[0].label == "raw docker attach"
    assert "raw docker attach" not in {bar.label for bar in cpu.bars}
    assert {bar.label for bar in cpu.bars if bar.good} == {
        "mcpgw, stdio",
        "mcpgw, Streamable HTTP",
        "mcpgw, SSE",
    }
