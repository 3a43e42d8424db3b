"""What clients share: turns, and how much of it each may have."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.sharing import Company, Turns, share

clients = st.sampled_from("abc")
steps = st.lists(st.tuples(clients | st.none(), st.integers(1, 5), st.integers(1, 3)), max_size=60)


def test_a_share_is_never_nothing() -> None:
    """Where there is one place, whoever comes may have it."""
    assert [share(bound) for bound in (1, 3, 64)] == [1, 1, 64 // limits.SHARES]


def test_a_client_is_alone_until_another_is_seen_and_after_a_while_again() -> None:
    """Each sight of another than the last starts the time anew."""
    now, while_s = 0.0, limits.COMPANY_S
    company = Company(lambda: now)
    company.see("a")
    now = 1.0
    company.see("a")
    assert company.is_alone
    now = 2.0
    company.see("b")
    assert not company.is_alone
    company.see("b")
    now = 2.0 + while_s - 0.1
    assert not company.is_alone
    assert repr(company) == f"<Company of 'b' until {2.0 + while_s:g}>"
    now = 2.0 + while_s
    assert company.is_alone
    assert repr(company) == "<Company of 'b'>"
    now = 9.0
    company.see("a")
    assert not company.is_alone


def test_who_is_alone_asks_no_clock() -> None:
    """It is looked at for each message; a second client costs that, from then on, as long as it is there."""
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return 0.0

    company = Company(clock)
    company.see("a")
    company.see("a")
    assert company.is_alone
    assert not asked


def test_who_waits_with_one_is_behind_one_of_each() -> None:
    """However many of a busy client wait already; and next time it goes on with who was left out."""
    turns: Turns[str] = Turns()
    for number in range(5):
        turns.add("busy", f"busy {number}")
    turns.add("polite", "polite 0")
    assert repr(turns) == "<Turns of 6, 2 clients>"
    assert list(turns)[-1] == "polite 0"
    assert turns.take(1, each=9) == ["busy 0"]
    assert turns.take(9, each=2) == ["polite 0", "busy 1", "busy 2"]
    assert turns.take(9, each=9) == ["busy 3", "busy 4"]
    assert turns.take(9, each=9) == []
    assert not turns


@given(steps)
def test_each_client_keeps_its_order_and_has_its_share(
    script: list[tuple[str | None, int, int]],
) -> None:
    """Whatever is added and taken: nobody is left out while others are served twice more than it."""
    turns: Turns[int] = Turns()
    lines: dict[str, deque[int]] = {name: deque() for name in "abc"}
    owner: dict[int, str] = {}
    for number, (client, count, each) in enumerate(script):
        if client is not None:
            turns.add(client, number)
            lines[client].append(number)
            owner[number] = client
            continue
        had = {name: len(line) for name, line in lines.items()}
        taken = turns.take(count, each=each)
        for item in taken:
            assert lines[owner[item]].popleft() == item
        served = Counter(owner[item] for item in taken)
        assert max(served.values(), default=0) <= each
        assert len(taken) == min(count, sum(min(each, there) for there in had.values()))
        for name, there in had.items():
            assert served[name] >= min(there, max(served.values(), default=0) - 1)
        assert len(turns) == sum(map(len, lines.values()))
        assert set(turns) == {item for line in lines.values() for item in line}
