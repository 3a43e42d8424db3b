"""What clients do: they come, list, call, cancel, answer, subscribe, leave or vanish. A method for each kind of step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.errors import Overloaded
from gateway.ports import Principal
from tests.simulation.clients import CAPABILITIES, Client, LegacyClient, ModernClient, PipeClient
from tests.simulation.oracle import Ticket

if TYPE_CHECKING:
    from tests.simulation.world import World

PRINCIPALS: Final = (Principal("ann"), Principal("bob"))


class ClientSteps:
    """Steps of clients; `a` and `b` choose which one, and what exactly."""

    def __init__(self, world: World) -> None:
        self._world = world

    def do_open(self, a: int, b: int) -> None:
        """A client of an older revision comes; one in seven is on a pipe."""
        kind = PipeClient if a % 7 == 0 else LegacyClient
        principal = PRINCIPALS[b % len(PRINCIPALS)]
        try:
            session = self._world.gateway.sessions.open(principal, transport="test")
        except Overloaded:
            self._world.oracle.note("refused")
            return
        name = f"c{len(self._world.clients) + 1}"
        said = CAPABILITIES[a % len(CAPABILITIES)]
        self._world.clients.append(kind(name, principal, self._world.oracle, session, said))

    def do_open_modern(self, a: int, b: int) -> None:
        """A modern client comes."""
        name = f"c{len(self._world.clients) + 1}"
        said = CAPABILITIES[a % len(CAPABILITIES)]
        principal = PRINCIPALS[b % len(PRINCIPALS)]
        self._world.clients.append(
            ModernClient(name, principal, self._world.oracle, self._world.gateway.sessions, said)
        )

    def do_call(self, a: int, b: int) -> None:
        """A client calls the tool of a server; one comes where there is none."""
        present = self._present()
        if not present:
            self.do_open(a, b)
            present = self._present()
        if not present:
            return
        client = present[a % len(present)]
        names = list(self._world.characters)
        name = names[b % len(names)]
        calm = self._world.is_calm()
        ticket = client.call(name, self._world.characters[name].timeout_s, progress=b % 3 == 0)
        if name == "steady" and calm:
            self._world.steady.append(ticket)

    def do_burst(self, a: int, b: int) -> None:
        """Twelve calls at once, of one client or of many, for one server or for all."""
        for more in range(12):
            self.do_call(a + more * (b % 2), b + more * (a % 2))

    def do_list(self, a: int, _b: int) -> None:
        """A client lists tools."""
        if present := self._present():
            present[a % len(present)].list_tools()

    def do_cancel(self, a: int, b: int) -> None:
        """A client takes a request back."""
        if ticket := self._waiting(a):
            client = next(one for one in self._world.clients if one.name == ticket.client)
            client.cancel(ticket)  # type: ignore[attr-defined] # whoever asks can
            del b

    def do_reuse_id(self, a: int, _b: int) -> None:
        """A client uses the id of a request that waits for another one."""
        ticket = self._waiting(a)
        client = next(
            (one for one in self._world.clients if ticket and one.name == ticket.client), None
        )
        if ticket is not None and isinstance(client, LegacyClient):
            client.reuse_id(ticket, "")

    def do_answer(self, a: int, b: int) -> None:
        """A client answers a question of a server, or refuses to."""
        present = [one for one in self._present(LegacyClient) if not isinstance(one, PipeClient)]
        if present:
            present[a % len(present)].answer(b, refuse=b % 5 == 0)

    def do_retry(self, a: int, b: int) -> None:
        """A modern client comes back with answers."""
        if present := self._present(ModernClient):
            present[a % len(present)].retry(b, refuse=b % 5 == 0)

    def do_close(self, a: int, _b: int) -> None:
        """A client leaves in good order."""
        if present := self._present():
            present[a % len(present)].close()

    def do_vanish(self, a: int, _b: int) -> None:
        """A client is gone without a word."""
        if present := self._present():
            present[a % len(present)].vanish()

    def do_attach(self, a: int, _b: int) -> None:
        """A client opens its stream."""
        if present := self._present(LegacyClient):
            present[a % len(present)].attach()

    def do_detach(self, a: int, _b: int) -> None:
        """A client's stream breaks."""
        if present := self._present(LegacyClient):
            present[a % len(present)].detach()

    def do_bad(self, a: int, b: int) -> None:
        """A client asks for what makes no sense."""
        if present := self._present():
            method = ("no/such", "tools/call", "initialize", "completion/complete")[b % 4]
            present[a % len(present)].simple(method, {"name": 3})

    def do_level(self, a: int, _b: int) -> None:
        """A client says how much it wants to hear."""
        if present := self._present(LegacyClient):
            present[a % len(present)].simple("logging/setLevel", {"level": "error"})

    def do_subscribe(self, a: int, b: int) -> None:
        """A client subscribes to a resource."""
        if present := self._present(LegacyClient):
            names = list(self._world.characters)
            present[a % len(present)].subscribe(names[b % len(names)])

    def do_listen(self, a: int, _b: int) -> None:
        """A modern client listens."""
        if present := self._present(ModernClient):
            present[a % len(present)].listen()

    def do_unlisten(self, a: int, _b: int) -> None:
        """A modern client no longer listens."""
        if present := self._present(ModernClient):
            present[a % len(present)].unlisten()

    def do_wait(self, _a: int, _b: int) -> None:
        """Time passes."""

    def _present(self, kind: type[Any] = Client) -> list[Any]:
        return [one for one in self._world.clients if isinstance(one, kind) and not one.is_gone]

    def _waiting(self, a: int) -> Ticket | None:
        waiting = [ticket for one in self._present() for ticket in one.open_tickets()]
        waiting = [ticket for ticket in waiting if not ticket.is_gone]
        return waiting[a % len(waiting)] if waiting else None
