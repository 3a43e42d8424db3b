"""How servers work for modern clients: under which owners, and greeted as what. Must not know calls or listeners."""

from __future__ import annotations

from actors.assignment import EVERYBODY
from actors.house import Door, House
from gateway.mcp.profile import ClientProfile, stranger
from gateway.ports import Principal


def is_bridged(door: Door) -> bool:
    """Whether the server may be of the older era: what such a one asks of its client must find the way back."""
    return not door.spoken.modern


def client_at(door: Door, principal: Principal, profile: ClientProfile) -> str:
    """The owner of all that a client does at a server that takes any number of its calls; else how its owners begin."""
    if door.server.pooling.isolation == "shared":
        return EVERYBODY
    # An older server is told once what its client can do: it is the client's for as long as that does not change.
    client = f"{principal.name}:{profile.key}" if is_bridged(door) else principal.name
    return f"stateless:{client}:{door.server.name}"


def numbered(client: str, number: int) -> str:
    """The owner of the client's calls there that need a server which does nothing else meanwhile."""
    return f"{client}:{number}"


def watcher_at(door: Door, principal: Principal, profile: ClientProfile) -> str | None:
    """The owner of the client's subscriptions: where its calls are, in the first of its servers if it has several.

    None where nothing can be watched, because no server outlives its call.
    """
    if door.server.pooling.isolation == "call":
        return None
    client = client_at(door, principal, profile)
    return numbered(client, 0) if client != EVERYBODY and is_bridged(door) else client


def expect_modern(house: House) -> None:
    """Has servers whose lists are to be read greeted as modern ones: some fall at the sight of `initialize`."""
    for door in house.doors.values():
        door.expect(stranger("modern"))
