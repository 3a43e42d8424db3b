"""Strategies of valid things that peers say: results, questions, notifications, by method. Held to the schemas by the tests.

Must not know the gateway. Garbage is `strategies.json_values`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

texts = st.sampled_from(["", "a", "ä\u2028", "x" * 30])
Objects = st.SearchStrategy[dict[str, Any]]
plain = st.none() | st.booleans() | st.integers(-9, 9) | texts
objects = st.dictionaries(st.sampled_from(["a", "b", "resultType2"]), plain, max_size=2)
metas = st.fixed_dictionaries({}, optional={"vendor/key": plain, "traceparent": texts})
uris = st.sampled_from(["test://one", "test://two", "file:///x"])
base64 = st.sampled_from(["", "aGk="])
TOKEN: Final = "a token"
LEVELS: Final = ("debug", "info", "warning", "emergency")


def fixed(required: dict[str, Any], **optional: st.SearchStrategy[Any]) -> Objects:
    """An object with these members, and some of the optional ones."""
    given = {
        name: one if isinstance(one, st.SearchStrategy) else st.just(one)
        for name, one in required.items()
    }
    return st.fixed_dictionaries(given, optional=optional)


annotations = fixed({}, audience=st.just(["user"]), priority=st.sampled_from([0, 0.5, 1]))
text_block = fixed({"type": "text", "text": texts}, annotations=annotations)
image_block = fixed({"type": "image", "data": base64, "mimeType": "image/png"})
audio_block = fixed({"type": "audio", "data": base64, "mimeType": "audio/wav"})
link_block = fixed({"type": "resource_link", "uri": uris, "name": texts}, description=texts)
contents = fixed({"uri": uris, "text": texts}, mimeType=texts) | fixed(
    {"uri": uris, "blob": base64}
)
embedded = fixed({"type": "resource", "resource": contents})


@cache
def blocks(revision: str) -> Objects:
    """Content that a revision has."""
    found = text_block | image_block | embedded
    if revision >= "2025-03-26":
        found |= audio_block
    if revision >= "2025-06-18":
        found |= link_block
    return found


@cache
def results(method: str, revision: str) -> Objects:
    """A valid result of a server of that revision."""
    modern = {"resultType": "complete"} if revision >= "2026" else {}
    cached = (
        {"ttlMs": st.integers(0, 9), "cacheScope": st.sampled_from(["public", "private"])}
        if modern
        else {}
    )
    structured = plain if modern else objects
    match method:
        case "tools/call":
            more = {"structuredContent": structured} if revision >= "2025-06-18" else {}
            return fixed(
                {**modern, "content": st.lists(blocks(revision), max_size=2)},
                isError=st.booleans(),
                _meta=metas,
                **more,
            )
        case "prompts/get":
            message = fixed(
                {"role": st.sampled_from(["user", "assistant"]), "content": blocks(revision)}
            )
            return fixed(
                {**modern, "messages": st.lists(message, max_size=2)},
                description=texts,
                _meta=metas,
            )
        case "resources/read":
            return fixed(
                {**modern, **cached, "contents": st.lists(contents, max_size=2)}, _meta=metas
            )
        case "completion/complete":
            values = fixed({"values": st.lists(texts, max_size=2)}, hasMore=st.booleans())
            return fixed({**modern, "completion": values})
        case _:
            return fixed(modern, _meta=metas)


fields = st.dictionaries(
    st.sampled_from(["user_name", "age"]),
    fixed({"type": "string"}, title=texts) | fixed({"type": "boolean"}, default=st.booleans()),
    max_size=2,
)
forms = fixed({"type": "object", "properties": fields})
messages = fixed({"role": "user", "content": text_block})


@cache
def questions(revision: str) -> st.SearchStrategy[tuple[str, dict[str, Any] | None]]:
    """What a server of that revision may ask of a client: method and params."""
    found = st.tuples(
        st.just("sampling/createMessage"),
        fixed({"messages": st.lists(messages, max_size=2), "maxTokens": 9}, systemPrompt=texts),
    ) | st.tuples(st.just("roots/list"), st.none() | st.just({}))
    form = fixed({"message": texts, "requestedSchema": forms})
    if revision >= "2025-11-25":
        form = fixed({"message": texts, "requestedSchema": forms}, mode=st.just("form"))
        link = {"mode": "url", "message": texts, "url": "https://example.com/"}
        link |= {"elicitationId": "e1"} if revision < "2026" else {}
        form |= fixed(link)
    if revision >= "2025-06-18":
        found |= st.tuples(st.just("elicitation/create"), form)
    return found


@cache
def answers(method: str) -> Objects:
    """What a client may answer to a question."""
    match method:
        case "elicitation/create":
            accepted = fixed(
                {"action": "accept"}, content=st.dictionaries(texts, st.booleans(), max_size=1)
            )
            return accepted | fixed({"action": st.sampled_from(["decline", "cancel"])})
        case "roots/list":
            return fixed({"roots": st.lists(fixed({"uri": "file:///r"}, name=texts), max_size=2)})
        case "sampling/createMessage":
            return fixed({"role": "assistant", "content": text_block, "model": texts})
        case _:
            return st.just({})


@cache
def notices(revision: str, sender: str) -> st.SearchStrategy[tuple[str, dict[str, Any] | None]]:
    """Notifications that a side may send; `TOKEN` stands for ids and progress tokens."""
    token = TOKEN
    modern = revision >= "2026"
    found = st.tuples(st.just("notifications/cancelled"), fixed({"requestId": token}, reason=texts))
    if sender == "client":
        if not modern:
            found |= st.just(("notifications/roots/list_changed", None))
            found |= st.tuples(
                st.just("notifications/progress"), fixed({"progressToken": token, "progress": 1})
            )
        return found
    progress = {"progressToken": token, "progress": st.sampled_from([0, 0.5, 7])}
    found |= st.tuples(st.just("notifications/progress"), fixed(progress, total=st.just(9)))
    found |= st.tuples(
        st.just("notifications/message"),
        fixed({"level": st.sampled_from(LEVELS), "data": plain}, logger=texts),
    )
    found |= st.tuples(
        st.just("notifications/resources/updated"), fixed({"uri": uris}, _meta=metas)
    )
    for kind in ("tools", "prompts", "resources"):
        found |= st.just((f"notifications/{kind}/list_changed", None))
    if revision == "2025-11-25":
        found |= st.just(("notifications/elicitation/complete", {"elicitationId": "e1"}))
        status = {"taskId": "t1", "status": "working", "createdAt": "2025-01-01T00:00:00Z"}
        status |= {"lastUpdatedAt": "2025-01-01T00:00:00Z", "ttl": None}
        found |= st.just(("notifications/tasks/status", status))
    return found


codes = st.sampled_from(
    [-32700, -32602, -32601, -32603, -32000, -32002, -32020, -32021, -32022, -32042, -32099, 7]
)
error_data = st.none() | plain | objects | st.just({"uri": "test://one"})
