"""What is said of the machine."""

from __future__ import annotations

from bench.machine import busy_share, describe_machine


def test_what_others_do_is_a_share_of_all_cores() -> None:
    """Between none and all of them."""
    assert 0.0 <= busy_share(0.05) <= 1.0


def test_the_machine_is_described() -> None:
    """What matters to compare runs, and nothing that names it."""
    machine = describe_machine("Docker 1", 0.1234)
    assert machine.cores >= 1
    assert machine.busy == 0.123
