"""What a session needs of its surroundings: the servers, what they offer, and where its tasks run. Protocols only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from actors.call import Call
from actors.call_log import CallLog
from actors.listings import Listings
from actors.task_ids import TaskIds
from gateway.catalog.model import EnabledServer
from gateway.jsonrpc.messages import Notification, Request
from gateway.mcp.profile import ClientProfile
from gateway.mcp.spoken import Spoken
from gateway.ports import ClientSession, Outlet, Principal


class Door(Protocol):
    """A server that takes calls: a pool, or the tools of a `poci` entry."""

    @property
    def server(self) -> EnabledServer:
        """What is behind it."""

    @property
    def spoken(self) -> Spoken:
        """Which eras it is known to speak."""

    def submit(self, call: Call) -> None:
        """Takes a call; it settles later."""

    def release(self, owner: str) -> None:
        """The owner left."""

    def expect(self, profile: ClientProfile) -> None:
        """A client with this profile has come: what is started ahead of its calls should suit it."""

    def inform(self, owner: str, notification: Notification) -> None:
        """Passes a client's notification on to its running server, if there is one."""

    def set_log_level(self, owner: str, level: str) -> None:
        """Tells the owner's running server how much its client wants to hear."""


class House(Protocol):
    """What a session needs of its surroundings."""

    @property
    def listings(self) -> Listings:
        """What all servers offer."""

    @property
    def task_ids(self) -> TaskIds:
        """The ids of tasks as clients see them."""

    @property
    def call_log(self) -> CallLog:
        """Where ended calls are noted."""

    @property
    def draining(self) -> bool:
        """Whether no new work is accepted."""

    @property
    def doors(self) -> Mapping[str, Door]:
        """All servers, by name."""

    def spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        """Runs a task beside all others; its failure is logged and costs nobody else."""

    def request_ended(self) -> None:
        """A request that took time has its answer, or will get none."""

    def serve_stateless(
        self, request: Request, *, principal: Principal, transport: str, outlet: Outlet
    ) -> Callable[[], None]:
        """Serves a request of the modern era; gives what cancels it."""

    def remember(self, session: ClientSession) -> None:
        """Something changed that another gateway would have to know to go on with the session."""

    def closed(self, session_id: str) -> None:
        """A session has ended."""
