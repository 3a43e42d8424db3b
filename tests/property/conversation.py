"""A whole conversation through the gateway: a client of one revision, a server of another, both saying what is drawn.

Everything that the gateway says is kept, with what it answers; `faults` holds it to the receivers' schemas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import trio
from hypothesis import strategies as st

from gateway.jsonrpc import codec
from gateway.jsonrpc.messages import Failure, Message, Notification, Request, Result
from gateway.ports import LOCAL
from tests.fakes.house import FakeBackend
from tests.fakes.server import FakeServer, raw
from tests.property import talk
from tests.property.spec import MODERN, spec
from tests.property.strategies import json_objects, json_values
from tests.unit.actors.test_session import World

Draw = Callable[[st.SearchStrategy[Any]], Any]

PREFIX: Final = "io.modelcontextprotocol/"
_GREETINGS: Final = {"server/discover": MODERN, "initialize": "2025-11-25"}
"""Said in the revision that is proposed, whatever the server turns out to speak."""
_RETRIED: Final = frozenset({"tools/call", "prompts/get", "resources/read"})


class Heard(list[tuple[dict[str, Any], str]]):
    """What one peer was sent: each message, and the method of the request that it answers, "" for none."""

    def faults(
        self, revision: str, sender: str, *, strict: bool, other: str = MODERN
    ) -> Iterator[str]:
        """What the peer's revision would refuse.

        Not `strict`: what the `other` side said wrong within its own messages is let through.
        """
        crossed = MODERN in {revision, other}
        for message, method in self:
            held = _GREETINGS.get(message.get("method", ""), revision)
            rules = spec(held)
            if strict:
                found = rules.fault(message, answers=method, sender=sender)
            else:
                found = rules.form_fault(message, answers=method, sender=sender, crossed=crossed)
            if found is not None:
                yield found


class Outlet:
    """A stream of the client's; an `Outlet` of the gateway."""

    def __init__(
        self, heard: Heard, method: str = "", request: Mapping[str, Any] | None = None
    ) -> None:
        self.method = method
        self.request = request
        self.answers: list[dict[str, Any] | None] = []
        self.is_cancelled = False
        self.cancel: Callable[[], None] = lambda: None
        self.asked: list[dict[str, Any]] = []
        self._heard = heard

    def send(self, frame: bytes, *, skippable: bool = False) -> None:  # noqa: ARG002 -- the Protocol's
        """A message before the answer."""
        assert not self.answers, f"{frame!r} after the answer"
        message = json.loads(frame)
        self._heard.append((message, ""))
        if "id" in message:
            self.asked.append(message)

    def finish(self, frame: bytes | None) -> None:
        """The answer."""
        self.answers.append(None if frame is None else json.loads(frame))
        if frame is not None and self.method:
            self._heard.append((json.loads(frame), self.method))


class Server(FakeServer):
    """Greets and lists by itself; other requests wait for the conversation."""

    def __init__(self, revision: str) -> None:
        super().__init__()
        self.revision = revision
        self.modern = revision >= MODERN
        self.waiting: list[Request] = []
        self.asked: dict[str, str] = {}
        self._sent: Heard = Heard()

    def heard(self) -> Heard:
        """All that the gateway has said to it."""
        told = Heard()
        for message in self.seen:
            method = self.asked.get(str(message.id), "") if isinstance(message, Result) else ""
            told.append((json.loads(codec.encode(message)), method))
        return told

    def say(self, message: Message) -> None:
        """Says something."""
        if self._error is None and not self.is_closed:
            self._in.send_nowait(message)

    def _answer(self, request: Request) -> Message | None:
        if (said := self._greeting(request)) is not None:
            return said
        if request.method in _LISTS:
            kind = self._done if self.modern else Result
            return kind(request.id, raw(_LISTS[request.method] | (_CACHED if self.modern else {})))
        if request.method == "subscriptions/listen" and self.modern:
            wanted = json.loads(bytes(request.params or b"{}"))["notifications"]
            tag = {"_meta": {f"{PREFIX}subscriptionId": request.id}}
            self.notify(
                "notifications/subscriptions/acknowledged", {"notifications": wanted, **tag}
            )
            return None
        if request.method in _AT_ONCE and not self.modern:
            return Result(request.id, raw({}))
        if not spec(self.revision).knows(request.method):
            return Failure(request.id, -32601, "no such method")
        self.waiting.append(request)
        return None

    def _greeting(self, request: Request) -> Message | None:
        match request.method:
            case "server/discover" if self.modern:
                offered = {"supportedVersions": [MODERN], "capabilities": _OFFERED}
                return self._done(request.id, raw(offered | _CACHED))
            case "initialize" if self.modern:
                data = raw({"supported": [MODERN], "requested": "2025-11-25"})
                return Failure(request.id, -32022, "unsupported", data)
            case "initialize":
                hello = {"protocolVersion": self.revision, "capabilities": _OFFERED}
                return Result(
                    request.id, raw(hello | {"serverInfo": {"name": "s", "version": "1"}})
                )
            case _:
                return None

    @staticmethod
    def _done(number: Any, body: Any) -> Result:
        return Result(number, raw({"resultType": "complete", **json.loads(bytes(body))}))


_OFFERED: Final = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
    "logging": {},
}
_AT_ONCE: Final = frozenset({"logging/setLevel", "resources/subscribe", "resources/unsubscribe"})
_CACHED: Final = {"ttlMs": 5, "cacheScope": "public"}
_ICONS: Final = [{"src": "https://example.com/i.png"}]
_LISTS: Final[Mapping[str, dict[str, Any]]] = {
    "tools/list": {
        "tools": [
            {"name": "t", "inputSchema": {"type": "object"}, "icons": _ICONS, "title": "T"},
            {
                "name": "u",
                "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
                "outputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": True},
            },
        ]
    },
    "prompts/list": {"prompts": [{"name": "p", "arguments": [{"name": "a", "required": True}]}]},
    "resources/list": {"resources": [{"uri": "test://one", "name": "one", "size": 3}]},
    "resources/templates/list": {
        "resourceTemplates": [{"uriTemplate": "test://{id}/x", "name": "template"}]
    },
}


class Conversation:
    """A client and a server, with the gateway between.

    Args:
        draw: decides.
        client, server: their revisions.
        polite: whether both say only what their own revisions allow.
    """

    def __init__(self, draw: Draw, *, client: str, server: str, polite: bool) -> None:
        self.draw = draw
        self.client = client
        self.server = server
        self.polite = polite
        self.modern = client >= MODERN
        self.capabilities = draw(_capabilities(client))
        self.heard = Heard()
        self.outlets: list[Outlet] = []
        self.standing: list[Outlet] = []
        self.backend = FakeBackend(lambda: Server(server))
        self._numbered = 0

    # --- the course --------------------------------------------------------------------------------------------

    async def run(self, folder: Path, steps: int) -> None:
        """Has it, to its end: then all requests have their answers."""
        async with trio.open_nursery() as nursery:
            world = World(nursery, folder)
            world.serve("one", self.backend)
            self._registry = world.registry
            self._connect()
            await trio.sleep(1)
            for _ in range(steps):
                self.draw(st.sampled_from(self._acts()))()
                await trio.sleep(self.draw(st.sampled_from([0.01, 0.01, 0.3])))
            for _ in range(3):  # a call that waits for a server gets another one
                for server in self.servers:
                    server.die()
                await trio.sleep(1)
            if not self.modern:
                self._session.close()
            else:
                world.registry.close_all()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

    @property
    def servers(self) -> list[Server]:
        """Those that were started."""
        return [server for server in self.backend.opened if isinstance(server, Server)]

    def _acts(self) -> list[Callable[[], None]]:
        acts = [self._request, self._request, self._client_notice, self._server_notice]
        waits = any(server.waiting for server in self.servers)
        if waits:
            acts += [self._answer, self._answer, self._answer]
        if waits and self.server < MODERN:
            acts += [self._ask, self._ask]
        if self._open():
            acts.append(self._cancel)
        if self.modern and self._retriable():
            acts += [self._retry, self._retry]
        if self._questions():
            acts += [self._reply, self._reply]
        return acts

    def _notice(
        self, revision: str, sender: str, tokens: list[Any]
    ) -> tuple[str, dict[str, Any] | None]:
        """A notification, about something that is known or about nothing."""
        method, params = self.draw(talk.notices(revision, sender))
        if params is None:
            return method, None
        token = (
            self.draw(st.sampled_from([*tokens, "nobody's"]))
            if talk.TOKEN in params.values()
            else 0
        )
        return method, {k: token if v == talk.TOKEN else v for k, v in params.items()}

    # --- the client --------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if self.modern:
            return
        self._session = self._registry.open(LOCAL, transport="test")
        stream = Outlet(self.heard)
        self.standing.append(stream)
        self._session.attach(stream)
        hello = {
            "protocolVersion": self.client,
            "capabilities": self.capabilities,
            "clientInfo": {"name": "c", "version": "1"},
        }
        self._send("initialize", hello)
        self._tell("notifications/initialized", None)

    def _request(self) -> None:
        """One request, of this revision or of another."""
        method, params = self.draw(_requests(self.client))
        if not self.polite and self.draw(st.booleans()):
            params = {**params, **self.draw(json_objects)}
        meta = self.draw(st.sampled_from([{}, {"progressToken": "tok"}, {"progressToken": 7}]))
        params = {**params, **({"_meta": meta} if meta else {})}
        self._send(method, params)

    def _send(self, method: str, params: dict[str, Any]) -> None:
        self._numbered += 1
        number: Any = self._numbered if self._numbered % 2 else f"r{self._numbered}"
        if self.modern:
            params = {**params, "_meta": {**params.get("_meta", {}), **self._stamp()}}
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        if self.polite and spec(self.client).knows(method):
            assert spec(self.client).fault(message, sender="Client") is None
        outlet = Outlet(self.heard, method, message)
        self.outlets.append(outlet)
        request = Request(number, method, raw(params))
        if self.modern:
            outlet.cancel = self._registry.serve_stateless(
                request, principal=LOCAL, transport="test", outlet=outlet
            )
        else:
            self._session.receive(request, outlet)

    def _stamp(self) -> dict[str, Any]:
        level = self.draw(st.sampled_from([{}, {f"{PREFIX}logLevel": "debug"}]))
        return {
            f"{PREFIX}protocolVersion": self.client,
            f"{PREFIX}clientCapabilities": self.capabilities,
            f"{PREFIX}clientInfo": {"name": "c", "version": "1"},
            **level,
        }

    def _tell(self, method: str, params: Any) -> None:
        if not self.modern:
            self._session.receive(Notification(method, _raw(params)), Outlet(Heard()))

    def _client_notice(self) -> None:
        tokens = [one.request["id"] for one in self.outlets if one.request is not None]
        method, params = self._notice(self.client, "client", tokens)
        if not self.polite and self.draw(st.booleans()):
            params = self.draw(json_objects)
        if method == "notifications/cancelled":
            for one in self.outlets:
                one.is_cancelled |= (params or {}).get("requestId") == (one.request or {}).get("id")
        self._tell(method, params)

    def _open(self) -> list[Outlet]:
        return [one for one in self.outlets if not one.answers]

    def _cancel(self) -> None:
        one = self.draw(st.sampled_from(self._open()))
        if self.modern:
            one.is_cancelled = True
            one.cancel()
        elif one.method != "initialize":
            assert one.request is not None
            one.is_cancelled = True
            self._tell("notifications/cancelled", {"requestId": one.request["id"]})

    def _retriable(self) -> list[Outlet]:
        return [
            one
            for one in self.outlets
            if one.answers
            and (one.answers[0] or {}).get("result", {}).get("resultType") == "input_required"
        ]

    def _retry(self) -> None:
        """Answers the questions of a result, all or some; or brings a state back that is none of ours."""
        one = self.draw(st.sampled_from(self._retriable()))
        assert one.request is not None
        assert one.answers[0] is not None
        asked = one.answers[0]["result"]
        params = {k: v for k, v in one.request["params"].items() if k not in _RETRY}
        responses = {
            name: self.draw(talk.answers(question["method"]))
            for name, question in asked.get("inputRequests", {}).items()
            if self.draw(st.integers(0, 4))
        }
        if not self.polite and self.draw(st.booleans()):
            responses = self.draw(st.dictionaries(st.sampled_from([*responses, "x"]), json_values))
        if responses:
            params["inputResponses"] = responses
        if "requestState" in asked:
            tampered = not self.draw(st.integers(0, 4))
            params["requestState"] = "x" * tampered + asked["requestState"]
        self._send(one.method, params)

    def _questions(self) -> list[dict[str, Any]]:
        if self.modern:
            return []
        return [asked for one in (*self.outlets, *self.standing) for asked in one.asked]

    def _reply(self) -> None:
        """Answers a question of a server."""
        asked = self.draw(st.sampled_from(self._questions()))
        for one in (*self.outlets, *self.standing):
            if asked in one.asked:
                one.asked.remove(asked)
        answer: Message = Result(asked["id"], raw(self.draw(talk.answers(asked["method"]))))
        kind = self.draw(st.sampled_from(["result", "result", "error", "garbage"]))
        if kind == "error":
            answer = Failure(asked["id"], self.draw(talk.codes), "no", None)
        elif kind == "garbage" and not self.polite:
            answer = Result(asked["id"], raw(self.draw(json_values)))
        self._session.receive(answer, Outlet(Heard()))

    # --- the server --------------------------------------------------------------------------------------------

    def _some_server(self, *, busy: bool) -> Server | None:
        found = [one for one in self.servers if one.waiting or not busy]
        return self.draw(st.sampled_from(found)) if found else None

    def _answer(self) -> None:
        """Answers a call: with a result, an error, questions, or nonsense."""
        server = self._some_server(busy=True)
        if server is None:
            return
        request = server.waiting.pop(self.draw(st.integers(0, len(server.waiting) - 1)))
        kinds = ["result", "result", "error"]
        kinds += ["questions"] * (server.modern and request.method in _RETRIED)
        kinds += ["garbage", "garbage"] * (not self.polite)
        match self.draw(st.sampled_from(kinds)):
            case "result":
                body = self.draw(talk.results(request.method, self.server))
                message = {"jsonrpc": "2.0", "id": 1, "result": body}
                assert (
                    spec(self.server).fault(message, answers=request.method, sender="Server")
                    is None
                )
                server.say(Result(request.id, raw(body)))
            case "error":
                data = self.draw(talk.error_data)
                code = self.draw(talk.codes)
                server.say(Failure(request.id, code, "wrong", None if data is None else raw(data)))
            case "questions":
                server.say(Result(request.id, raw(self._input_required())))
            case _:
                right = self.draw(talk.results(request.method, self.server))
                nearly = _odd_results.map(lambda odd: {**right, **odd})
                body = self.draw(nearly | nearly | json_objects | _odd_results | json_values)
                server.say(Result(request.id, raw(body)))

    def _input_required(self) -> dict[str, Any]:
        asked = self.draw(st.lists(talk.questions(MODERN), max_size=2))
        requests = {
            f"q{number}": {"method": method, **({} if params is None else {"params": params})}
            for number, (method, params) in enumerate(asked)
        }
        body: dict[str, Any] = {"resultType": "input_required"}
        body |= {"inputRequests": requests} if requests else {}
        if not requests or self.draw(st.booleans()):
            body["requestState"] = "theirs"
        assert spec(MODERN).complaint("InputRequiredResult", body) is None
        return body

    def _ask(self) -> None:
        """A legacy server asks its client, or pings."""
        server = self._some_server(busy=True)
        if server is None:
            return
        method, params = self.draw(talk.questions(self.server) | st.just(("ping", None)))
        number = f"s{len(server.asked)}"
        if self.polite:
            message = {"jsonrpc": "2.0", "id": number, "method": method}
            message |= {} if params is None else {"params": params}
            assert spec(self.server).fault(message, sender="Server") is None
        elif self.draw(st.booleans()):
            params = self.draw(json_objects)
            method = self.draw(st.sampled_from([method, "x/unknown", "tools/call"]))
        server.asked[number] = method
        server.say(Request(number, method, _raw(params)))

    def _server_notice(self) -> None:
        server = self._some_server(busy=False)
        if server is None:
            return
        tokens = [*(one.id for one in server.waiting), *server.asked]
        method, params = self._notice(self.server, "server", tokens)
        if server.modern and method.endswith(("list_changed", "resources/updated")):
            listening = server.requests("subscriptions/listen")
            if not listening:
                return
            params = {**(params or {}), "_meta": {f"{PREFIX}subscriptionId": listening[-1].id}}
        message = {"jsonrpc": "2.0", "method": method}
        message |= {} if params is None else {"params": params}
        assert spec(self.server).fault(message, sender="Server") is None
        if not self.polite and self.draw(st.booleans()):
            params = self.draw(json_objects)
            method = self.draw(st.sampled_from([method, "notifications/x"]))
        server.say(Notification(method, _raw(params)))


_RETRY: Final = frozenset({"inputResponses", "requestState"})
_odd_results = st.fixed_dictionaries(
    {},
    optional={
        "resultType": st.sampled_from(["complete", "input_required", "task", 7]),
        "content": json_values,
        "isError": json_values,
        "messages": json_values,
        "description": json_values,
        "completion": json_values,
        "contents": json_values,
        "inputRequests": json_values,
        "requestState": json_values,
        "structuredContent": json_values,
        "_meta": json_values,
        "ttlMs": json_values,
    },
)


@cache
def _capabilities(revision: str) -> st.SearchStrategy[dict[str, Any]]:
    """What a client of that revision may declare."""
    elicitation = st.just({})
    if revision >= "2025-11-25":
        elicitation |= st.sampled_from([{"form": {}}, {"url": {}}, {"form": {}, "url": {}}])
    may: dict[str, st.SearchStrategy[Any]] = {
        "sampling": st.just({}),
        "roots": st.sampled_from([{}, {"listChanged": True}] if revision < MODERN else [{}]),
    }
    if revision >= "2025-06-18":
        may["elicitation"] = elicitation
    return st.fixed_dictionaries({}, optional=may)


@cache
def _requests(revision: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Requests: valid ones of the revision, and some of others."""
    arguments = talk.fixed({"name": st.sampled_from(["t", "u"])}, arguments=talk.objects)
    ref = st.sampled_from(
        [{"type": "ref/prompt", "name": "p"}, {"type": "ref/resource", "uri": "test://{id}/x"}]
    )
    argument = st.just({"name": "a", "value": "v"})
    uri = talk.fixed({"uri": st.sampled_from(["test://one", "test://7/x", "test://none"])})
    listen = talk.fixed(
        {},
        toolsListChanged=st.just(True),
        promptsListChanged=st.just(True),
        resourceSubscriptions=st.just(["test://one"]),
    )
    return st.one_of(
        *(st.tuples(st.just("tools/call"), arguments) for _ in range(4)),
        st.tuples(st.just("prompts/get"), talk.fixed({"name": "p"}, arguments=st.just({"a": "b"}))),
        st.tuples(st.just("resources/read"), uri),
        st.tuples(st.just("completion/complete"), talk.fixed({"ref": ref, "argument": argument})),
        st.tuples(st.just("resources/subscribe"), uri),
        st.tuples(st.just("logging/setLevel"), talk.fixed({"level": st.sampled_from(talk.LEVELS)})),
        st.tuples(st.just("subscriptions/listen"), talk.fixed({"notifications": listen})),
        st.tuples(
            st.sampled_from(
                [
                    "ping",
                    "tools/list",
                    "prompts/list",
                    "resources/list",
                    "resources/templates/list",
                    "server/discover",
                    "tasks/list",
                    "x/unknown",
                ]
            ),
            st.just({}),
        ),
    )


def _raw(value: Any) -> Any:
    return None if value is None else raw(value)
