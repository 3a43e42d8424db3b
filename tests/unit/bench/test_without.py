"""A source tree without what tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import Broken
from bench.program import ROOT
from bench.rows.without import take_out

_BEFORE = """
def f(self, x):
    log.debug('a', b=x)
    if x > 1:
        self._house.call_log.note(x)
    if x > 2:
        _log.debug('b')
    else:
        x += 1
    note = self.call_log.notes(x)
    log.info('c')
    return note
"""
_AFTER = """
def f(self, x):
    pass
    pass
    if x > 2:
        pass
    else:
        x += 1
    note = self.call_log.notes(x)
    log.info('c')
    return note
"""


def test_only_what_tells_is_taken_out(tmp_path: Path) -> None:
    """With the conditions that guard nothing else."""
    path = tmp_path / "package" / "module.py"
    path.parent.mkdir()
    path.write_text(_BEFORE)
    take_out(tmp_path, ["call_log.note", "log.debug"])
    assert path.read_text().strip() == _AFTER.strip()


def test_a_name_that_nobody_calls_is_broken(tmp_path: Path) -> None:
    """A row that compares a build with itself would always be kept."""
    (tmp_path / "module.py").write_text("log.debug('a')\n")
    with pytest.raises(Broken, match=r"calls call_log\.note"):
        take_out(tmp_path, ["log.debug", "call_log.note"])


def test_the_gateway_still_calls_what_row_14_takes_out() -> None:
    """The row's table names what is there."""
    sources = "".join(path.read_text() for path in (ROOT / "actors").glob("*.py"))
    assert "call_log.note(" in sources
    assert "log.debug(" in sources
