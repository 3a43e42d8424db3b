"""What is sent anew after a refusal, how often, and after how long. Nothing is slept here: only the answers are looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import trio
from trio.testing import MockClock

from gateway import limits
from gateway.upstreams.admission import Admission
from gateway.upstreams.credentials import Credentials


class Vault:
    """Where headers are looked up: the test says what is found."""

    def __init__(self, found: Mapping[str, str] | None = None) -> None:
        self.found = found
        self.looks = 0

    async def look_up(self) -> Mapping[str, str] | None:
        """A `LookUp`."""
        self.looks += 1
        await trio.sleep(1)
        return self.found


def admission(credentials: Credentials | None = None, *, deadline: float = math.inf) -> Admission:
    """That of one message."""
    return Admission(credentials or Credentials({}), server="fake", deadline=deadline)


# --- put off ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
async def test_a_message_waits_as_long_as_its_server_says(
    status: int, autojump_clock: MockClock
) -> None:
    """And never for no time at all."""
    message = admission()
    assert await message.pause_s(status, 7.0, version=0) == 7.0
    assert await message.pause_s(status, 0.0, version=0) == limits.PUT_OFF_FLOOR_S


@pytest.mark.parametrize("status", [200, 302, 400, 404, 500, 502, 504])
async def test_other_answers_are_answers(status: int, autojump_clock: MockClock) -> None:
    """Whatever else they say: what was executed, or may have been, is not sent again."""
    assert await admission().pause_s(status, 1.0, version=0) is None


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_does_not_say_when_is_not_asked_again(
    status: int, autojump_clock: MockClock
) -> None:
    """A 503 may then come from a proxy whose server broke off."""
    assert await admission().pause_s(status, None, version=0) is None


@pytest.mark.refuses("to_servers.PUT_OFF_S")
async def test_all_pauses_of_a_message_have_a_bound(autojump_clock: MockClock) -> None:
    """One that is too long is not begun."""
    message = admission()
    assert await message.pause_s(429, limits.PUT_OFF_S - 5, version=0) is not None
    assert await message.pause_s(429, 5.5, version=0) is None
    assert await message.pause_s(429, 5.0, version=0) == 5.0
    assert await message.pause_s(429, 0.0, version=0) is None


async def test_nothing_waits_beyond_its_deadline(autojump_clock: MockClock) -> None:
    """Whoever asked is told at once."""
    message = admission(deadline=trio.current_time() + 10)
    assert await message.pause_s(503, 10.0, version=0) is None
    assert await message.pause_s(503, 9.0, version=0) == 9.0


# --- credentials --------------------------------------------------------------------------------------------------


async def test_refused_credentials_are_looked_up_and_tried_once(autojump_clock: MockClock) -> None:
    """A second refusal is told."""
    vault = Vault({"X-Key": "new"})
    credentials = Credentials({"X-Key": "old"}, vault.look_up)
    message = admission(credentials)
    assert await message.pause_s(401, None, version=0) == 0.0
    assert credentials.headers == {"X-Key": "new"}
    assert await message.pause_s(401, None, version=1) is None
    assert vault.looks == 1


async def test_the_same_credentials_are_tried_once_more(autojump_clock: MockClock) -> None:
    """A server may refuse them once without a reason; where nothing can be looked up, they stay."""
    vault = Vault(None)
    credentials = Credentials({"X-Key": "old"}, vault.look_up)
    assert await admission(credentials).pause_s(401, None, version=0) == 0.0
    assert credentials.headers == {"X-Key": "old"}


async def test_an_entry_without_secrets_has_nothing_to_look_up(autojump_clock: MockClock) -> None:
    """The refusal is told at once."""
    assert await admission(Credentials({})).pause_s(401, None, version=0) is None


async def test_messages_that_are_refused_together_share_one_look(
    autojump_clock: MockClock,
) -> None:
    """And all of them are tried once more."""
    vault = Vault({"X-Key": "new"})
    credentials = Credentials({"X-Key": "old"}, vault.look_up)
    pauses: list[float | None] = []

    async def refused() -> None:
        pauses.append(await admission(credentials).pause_s(401, None, version=0))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(refused)
    assert pauses == [0.0] * 5
    assert vault.looks == 1


async def test_a_wrong_key_is_not_looked_up_all_the_time(autojump_clock: MockClock) -> None:
    """Nor sent twice with each message."""
    vault = Vault(None)
    credentials = Credentials({"X-Key": "old"}, vault.look_up)
    assert await admission(credentials).pause_s(401, None, version=0) == 0.0
    assert await admission(credentials).pause_s(401, None, version=1) is None
    await trio.sleep(limits.CREDENTIALS_PAUSE_S)
    assert await admission(credentials).pause_s(401, None, version=1) == 0.0
    assert vault.looks == 2


async def test_a_look_that_is_cancelled_changes_nothing(autojump_clock: MockClock) -> None:
    """The next message looks itself."""
    vault = Vault({"X-Key": "new"})
    credentials = Credentials({"X-Key": "old"}, vault.look_up)
    with trio.move_on_after(0.5):
        await admission(credentials).pause_s(401, None, version=0)
    assert credentials.headers == {"X-Key": "old"}
    assert await admission(credentials).pause_s(401, None, version=0) == 0.0
    assert credentials.headers == {"X-Key": "new"}


def test_values_are_not_shown() -> None:
    """They are secrets."""
    assert repr(Credentials({"X-Key": "s3cret"})) == "<Credentials X-Key version=0>"
