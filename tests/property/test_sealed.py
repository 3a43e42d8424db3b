"""No handle opens for anybody, or anything, but what it was sealed for."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import StateRefused
from gateway.mcp import params
from gateway.mcp.sealed import Seal, StateClaims, TaskClaims, digest_of
from tests.property.strategies import json_objects, written

SEAL = Seal(b"a key of some home, 32 bytes long")
texts = st.text(max_size=20)
times = st.floats(min_value=0, max_value=2**40)
states = st.builds(StateClaims, texts, texts, texts, texts, texts, times)
tasks = st.builds(TaskClaims, texts, texts, texts)


def opened(token: str, claims: StateClaims, seal: Seal = SEAL) -> StateClaims:
    """What the token says to who presents it as the claims have it, just in time."""
    return seal.open(
        token,
        principal=claims.principal,
        method=claims.method,
        digest=claims.digest,
        now=claims.expires_at - 1,
        instance=claims.instance,
    )


def flipped(token: str, bit: int) -> str:
    """The token with one bit of its content the other way round."""
    content = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    position = bit % (8 * len(content))
    content[position // 8] ^= 1 << position % 8
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@given(states)
def test_a_state_says_what_it_was_sealed_with(claims: StateClaims) -> None:
    """Whatever that is."""
    assert opened(SEAL.seal(claims), claims) == claims


@given(states, st.integers(min_value=0))
def test_any_flipped_bit_is_refused(claims: StateClaims, bit: int) -> None:
    """In the nonce, the content or the tag."""
    with pytest.raises(StateRefused):
        opened(flipped(SEAL.seal(claims), bit), claims)


@given(states, st.data())
def test_any_other_letter_is_refused(claims: StateClaims, data: st.DataObject) -> None:
    """Also where it only changes bits that Base64 leaves over."""
    token = SEAL.seal(claims)
    position = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters())
    assume(letter != token[position])
    with pytest.raises(StateRefused):
        opened(token[:position] + letter + token[position + 1 :], claims)


@given(states, st.integers(min_value=0))
def test_a_cut_state_is_refused(claims: StateClaims, length: int) -> None:
    """However short."""
    token = SEAL.seal(claims)
    with pytest.raises(StateRefused):
        opened(token[: length % len(token)], claims)


@given(states, states)
def test_a_state_is_for_one_caller_and_request(claims: StateClaims, other: StateClaims) -> None:
    """Replayed by anybody else, or with anything else, it is refused."""
    bound = ("principal", "method", "digest", "instance")
    assume(any(getattr(claims, name) != getattr(other, name) for name in bound))
    replay = StateClaims(
        other.instance, "", other.principal, other.method, other.digest, claims.expires_at
    )
    with pytest.raises(StateRefused):
        opened(SEAL.seal(claims), replay)


@given(states, times)
def test_a_state_ends(claims: StateClaims, later: float) -> None:
    """At its time, and ever after."""
    with pytest.raises(StateRefused):
        SEAL.open(
            SEAL.seal(claims),
            principal=claims.principal,
            method=claims.method,
            digest=claims.digest,
            now=claims.expires_at + later,
        )


@given(states, st.binary(), st.text())
def test_what_was_not_sealed_here_is_refused(claims: StateClaims, key: bytes, junk: str) -> None:
    """Another key's, or nobody's."""
    with pytest.raises(StateRefused):
        opened(SEAL.seal(claims), claims, Seal(key))
    with pytest.raises(StateRefused):
        opened(junk, claims)


@given(tasks, tasks)
def test_tasks_have_different_ids_and_one_owner(one: TaskClaims, other: TaskClaims) -> None:
    """The same task has the same id."""
    token = SEAL.seal_task(one)
    assert SEAL.open_task(token, principal=one.principal) == one
    assert (token == SEAL.seal_task(other)) is (one == other)
    if other.principal != one.principal:
        with pytest.raises(StateRefused):
            SEAL.open_task(token, principal=other.principal)


@given(json_objects, st.data())
def test_a_digest_is_that_of_the_values(members: dict[str, object], data: st.DataObject) -> None:
    """Blanks, escapes and order do not count."""
    order = data.draw(st.permutations(sorted(members)))
    texts_of = [
        data.draw(written(st.just(given_)))
        for given_ in (members, {name: members[name] for name in order})
    ]
    digests = {digest_of(params.fields(msgspec.Raw(text))) for text in texts_of}
    assert len(digests) == 1
    salient = {name: value for name, value in members.items() if name != "_meta"}
    more = {**salient, "one more": 1}
    assert digest_of(params.fields(msgspec.Raw(json.dumps(more).encode()))) not in digests
