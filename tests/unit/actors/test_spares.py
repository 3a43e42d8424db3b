"""What a pool remembers of the clients that came."""

from __future__ import annotations

from actors.spares import Spares
from actors.tally import Tally
from gateway import limits
from gateway.mcp.profile import NEUTRAL, ClientProfile
from tests.fakes.server import raw
from tests.unit.actors.test_assignment import POOLING

ABLE = ClientProfile({"sampling": raw({})})


def test_spares_are_started_for_clients_like_those_that_came() -> None:
    """And one for nobody in particular."""
    spares = Spares(Tally())
    assert spares.newest == NEUTRAL
    spares.expect(ABLE, ABLE.key)
    assert spares.newest == ABLE
    assert spares.missing([], 3) == [None, ABLE, ABLE]


def test_profiles_of_long_ago_are_forgotten() -> None:
    """A client may say anything of itself: what is kept is bounded."""
    spares = Spares(Tally())
    for number in range(5 * limits.RECENT_PROFILES):
        spares.expect(ABLE, str(number))
    assert len(spares._profiles) <= limits.RECENT_PROFILES
    assert set(spares._recent) == set(spares._profiles)


def test_the_lead_is_what_starts_really_took() -> None:
    """A slow server needs its spares earlier."""
    tally = Tally()
    spares = Spares(tally)
    for now in range(0, 300, 10):
        spares.arrived(now)
    quick = spares.forecast(POOLING, 290.0)
    tally.starts.append(4.0)
    slow = spares.forecast(POOLING, 290.0)
    assert round(quick.until - slow.until, 6) == 3.5
