"""The starter server `dice`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.catalogs.conftest import Server


@pytest.fixture
def dice(shared: Callable[[str], Server]) -> Server:
    """The server."""
    return shared("dice")


@pytest.mark.parametrize(
    ("notation", "low", "high"),
    [
        ("3d6+2", 5, 20),
        ("d20", 1, 20),
        ("2D%", 2, 200),
        ("4d6kh3", 3, 18),
        ("4d6kl1 - 1", 0, 5),
        ("-d4 + 10", 6, 9),
        ("7", 7, 7),
        ("1d1", 1, 1),
    ],
)
def test_rolls_lie_within_their_bounds(dice: Server, notation: str, low: int, high: int) -> None:
    """A total is what its dice say, within what they can say."""
    result = dice.call("roll", dice=notation)
    rolled = result["structuredContent"]
    assert (rolled["minimum"], rolled["maximum"]) == (low, high)
    assert low <= rolled["total"] <= high
    assert rolled["total"] == sum(term["sum"] for term in rolled["rolls"]) + rolled["modifier"]
    assert f"{notation} = {rolled['total']}" in result["content"][0]["text"]


def test_the_highest_or_lowest_are_kept(dice: Server) -> None:
    """`kh3` counts the three highest, `kl3` the three lowest."""
    for keep, highest in (("h", True), ("l", False)):
        (term,) = dice.call("roll", dice=f"20d100k{keep}3")["structuredContent"]["rolls"]
        assert term["kept"] == sorted(term["faces"], reverse=highest)[:3]


def test_the_default_is_one_die(dice: Server) -> None:
    """Without arguments a six-sided die is rolled."""
    assert dice.call("roll")["structuredContent"]["maximum"] == 6


@pytest.mark.parametrize(
    "notation", ["", "x", "3d", "d6d6", "3d6+", "1e9", "+" * 200, "3d6 2d6 x", 6, None]
)
def test_what_is_no_notation_is_explained(dice: Server, notation: object) -> None:
    """A wrong notation is answered with how to write it."""
    assert "write it like 3d6+2" in dice.complaint("roll", dice=notation)


@pytest.mark.parametrize("notation", ["0d6", "2d0", "2d6kh3", "2d6kl0"])
def test_what_cannot_be_rolled_is_refused(dice: Server, notation: str) -> None:
    """Dice without sides, and more dice kept than rolled, do not exist."""
    assert "cannot be rolled" in dice.complaint("roll", dice=notation)


def test_too_many_dice_are_refused(dice: Server) -> None:
    """A thousand dice are enough."""
    assert dice.call("roll", dice="1000d6")["structuredContent"]["minimum"] == 1000
    assert "more than 1000 dice" in dice.complaint("roll", dice="1000d6+1d6")


def test_coins(dice: Server) -> None:
    """One coin or many: each side is counted."""
    assert dice.call("coin")["content"][0]["text"] in {"heads", "tails"}
    flipped = dice.call("coin", count=100)["structuredContent"]
    assert len(flipped["flips"]) == 100
    assert flipped["heads"] + flipped["tails"] == 100


@pytest.mark.parametrize("count", [0, 1001, "3", True, 1.5])
def test_a_wrong_count_is_explained(dice: Server, count: object) -> None:
    """The complaint names the bounds."""
    assert "whole number from 1 to 1000" in dice.complaint("coin", count=count)
