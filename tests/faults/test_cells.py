"""The matrix itself: which cells there are, and that CI's choice covers all pairs."""

from __future__ import annotations

from itertools import combinations, product

from tests.faults import report
from tests.faults.cells import FAULTS, MEANINGS, PHASES, TARGETS, Cell, all_cells, pairwise, told
from tests.faults.play import Played


def test_every_pair_is_covered_by_few_cells() -> None:
    """Each fault meets each target and each phase, each target each phase; in a quarter of the cells, always the same."""
    cells = pairwise()
    for (one, these), (two, those) in combinations(
        (("fault", FAULTS), ("target", TARGETS), ("phase", PHASES)), 2
    ):
        seen = {(getattr(cell, one), getattr(cell, two)) for cell in cells}
        assert seen == set(product(these, those))
    assert len(cells) <= 45
    assert cells == pairwise()


def test_every_cell_has_a_meaning_and_an_outcome() -> None:
    """Nothing is left open: only where no request is under way is nobody told."""
    for cell in all_cells():
        assert MEANINGS[cell.target][cell.fault]
        assert bool(told(cell)) == (cell.phase != "idle"), cell


def test_the_tables_are_put_between_their_marks() -> None:
    """What stands around them stays."""
    rows = [
        (Cell("SIGKILL", "container", "mid-call"), Played("error", 40.0, 200.0)),
        (Cell("SIGKILL", "container", "idle"), Played(None, None, 1500.0)),
    ]
    text = report.render(rows)
    assert "| container | SIGKILL: SIGKILL to the server in it | error 1 | 850 ms / 1.5 s |" in text
    assert "40 ms / 40 ms after the signal" in text
    page = report.put_into(f"# A\n{report.BEGIN}\nold\n{report.END}\n## B\n", text)
    assert page.startswith("# A\n")
    assert page.endswith("\n## B\n")
    assert "old" not in page
    assert text in page


def test_the_page_has_the_marks() -> None:
    """Or the record would have no place."""
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.put_into(page, "x")
