"""What a start imports."""

from __future__ import annotations

from bench.import_times import by_package, table

SAID = """\
12:00:01.123 info  something else
import time: self [us] | cumulative | imported package
import time:       100 |        100 |     trio._core
import time:        50 |        150 |   trio
import time:      2000 |       2000 | msgspec
"""


def test_modules_are_counted_with_their_package() -> None:
    """The most costly one first; what else the program says is passed over."""
    times = by_package(SAID)
    assert list(times.items()) == [("msgspec", 2000), ("trio", 150)]
    assert table(times).splitlines() == [
        "     2.0 ms  msgspec",
        "     0.1 ms  trio",
        "     2.1 ms  all 2 packages",
    ]
