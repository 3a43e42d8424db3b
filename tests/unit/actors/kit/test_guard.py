"""The wall between tasks of one nursery."""

from __future__ import annotations

import pytest
import trio

from actors.kit.guard import guard


async def test_an_error_goes_to_the_callback_and_siblings_live() -> None:
    """A failing task hands its error over; its sibling runs to its end."""
    errors: list[Exception] = []
    done: list[str] = []

    async def fail(message: str) -> None:
        raise ValueError(message)

    async def sibling() -> None:
        await trio.testing.wait_all_tasks_blocked()
        done.append("sibling")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(guard, errors.append, fail, "broken")
        nursery.start_soon(guard, errors.append, sibling)
    assert [str(error) for error in errors] == ["broken"]
    assert done == ["sibling"]


async def test_what_is_no_exception_leaves() -> None:
    """Interrupts and cancellation are nobody's error."""

    async def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await guard(pytest.fail, interrupt)
    with trio.CancelScope() as scope:
        scope.cancel()
        await guard(pytest.fail, trio.sleep_forever)
    assert scope.cancelled_caught
