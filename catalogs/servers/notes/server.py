"""An MCP server that keeps notes. Standard library only, Python 3.9 or newer; speaks JSON-RPC lines on stdin and stdout.

Each note is a Markdown file `<id>.md` in the folder NOTES_DIR, its first line the title; other programs may edit them,
and several servers may share the folder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from threading import Event, Lock
from typing import Any, NamedTuple

# --- notes ------------------------------------------------------------------------------------------------------

FOLDER = Path(os.environ.get("NOTES_DIR") or "~/.local/share/mcpgw-notes").expanduser()
MAX_TITLE_CHARS = 200
MAX_TEXT_CHARS = 100_000
MAX_LISTED = 500
MAX_PAUSE_MS = 5000
EXCERPT_CHARS = 80


class Note(NamedTuple):
    """One note as it was read."""

    id: int
    title: str
    text: str
    changed: str

    def shown(self) -> dict[str, Any]:
        """What lists show of it."""
        return {
            "id": self.id,
            "title": self.title,
            "changed": self.changed,
            "chars": len(self.text),
        }


def paths() -> dict[int, Path]:
    """The files of all notes by id, newest first."""
    found = {int(path.stem): path for path in FOLDER.glob("*.md") if path.stem.isdecimal()}
    return dict(sorted(found.items(), reverse=True))


def read(note_id: int, path: Path) -> Note | None:
    """The note in a file; None where another server has just removed it."""
    try:
        title, _, text = path.read_text(encoding="utf-8", errors="replace").partition("\n")
        changed = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    except FileNotFoundError:
        return None
    return Note(note_id, title.lstrip("# "), text.strip(), changed.isoformat(timespec="seconds"))


def read_all() -> Iterator[Note]:
    """All notes, newest first."""
    return (note for note in (read(*item) for item in paths().items()) if note)


def store(title: str, text: str) -> int:
    """Keeps a note under the next free id: whole or not at all, also with other servers at the same folder."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=FOLDER)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(f"# {title}\n\n{text}\n")
        note_id = max(paths(), default=0)
        while True:
            note_id += 1
            with suppress(FileExistsError):
                os.link(temporary, FOLDER / f"{note_id}.md")
                return note_id
    finally:
        Path(temporary).unlink()


def text_of(arguments: dict[str, Any], name: str, limit: int) -> str:
    """A text among the arguments."""
    text = arguments.get(name)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name!r} is missing; give it as text")
    if len(text) > limit:
        raise ValueError(f"{name!r} is longer than {limit} characters; shorten it")
    return text.strip()


def number_of(arguments: dict[str, Any], name: str, limit: int, default: int | None = None) -> int:
    """A whole number among the arguments."""
    number = arguments.get(name, default)
    if type(number) is not int or not 0 <= number <= limit:
        raise ValueError(f"{name!r} must be a whole number from 0 to {limit}")
    return number


def add(arguments: dict[str, Any], _task: Task) -> dict[str, Any]:
    """Keeps a note."""
    title = " ".join(text_of(arguments, "title", MAX_TITLE_CHARS).split())
    note_id = store(title, text_of(arguments, "text", MAX_TEXT_CHARS))
    return result(f"Kept as note {note_id}.", {"id": note_id, "title": title})


def list_notes(arguments: dict[str, Any], _task: Task) -> dict[str, Any]:
    """The newest notes."""
    limit = number_of(arguments, "limit", MAX_LISTED, 50)
    return listing(list(read_all()), limit)


def search(arguments: dict[str, Any], _task: Task) -> dict[str, Any]:
    """The notes with all the words."""
    words = text_of(arguments, "query", MAX_TITLE_CHARS).lower().split()
    found = [
        note
        for note in read_all()
        if all(word in f"{note.title}\n{note.text}".lower() for word in words)
    ]
    return listing(found, MAX_LISTED)


def listing(notes: list[Note], limit: int) -> dict[str, Any]:
    """Notes as a list."""
    lines = [f"{len(notes)} note{'s' * (len(notes) != 1)}"]
    for note in notes[:limit]:
        excerpt = " ".join(note.text[:EXCERPT_CHARS].split())
        lines.append(f"{note.id}. {note.title}: {excerpt}{'…' * (len(note.text) > EXCERPT_CHARS)}")
    data = {"total": len(notes), "notes": [note.shown() for note in notes[:limit]]}
    return result("\n".join(lines), data)


def remove(arguments: dict[str, Any], _task: Task) -> dict[str, Any]:
    """Removes a note."""
    note_id = number_of(arguments, "id", 10**9)
    try:
        paths()[note_id].unlink()
    except (KeyError, FileNotFoundError) as error:
        raise ValueError(f"there is no note {note_id}; `list` shows the ids") from error
    return result(f"Removed note {note_id}.", {"id": note_id})


def export(arguments: dict[str, Any], task: Task) -> dict[str, Any]:
    """All notes as one document, oldest first. Reports each note, and ends at once when it is cancelled."""
    pause_ms = number_of(arguments, "pause_ms", MAX_PAUSE_MS, 0)
    files, parts = sorted(paths().items()), []
    for done, (note_id, path) in enumerate(files):
        task.report(done, len(files), f"note {note_id}")
        task.rest(pause_ms / 1000)
        note = read(note_id, path)
        if note:
            parts.append(f"# {note.title}\n\n{note.text}\n")
    task.report(len(files), len(files), "done")
    return result("\n".join(parts), {"notes": len(parts), "words": len(" ".join(parts).split())})


# --- what clients see -------------------------------------------------------------------------------------------

TEXT, INTEGER = {"type": "string"}, {"type": "integer"}


def shape(*required: str, **properties: Any) -> dict[str, Any]:
    """A JSON Schema of an object."""
    return {"type": "object", "properties": properties, "required": list(required)}


NOTES = shape(
    "total",
    "notes",
    total=INTEGER,
    notes={
        "type": "array",
        "items": shape("id", "title", id=INTEGER, title=TEXT, changed=TEXT, chars=INTEGER),
    },
)
TOOLS = [
    {
        "name": "add",
        "title": "Keep a note",
        "description": "Keeps a new note.",
        "inputSchema": shape(
            "title",
            "text",
            title={**TEXT, "maxLength": MAX_TITLE_CHARS},
            text={**TEXT, "maxLength": MAX_TEXT_CHARS, "description": "Markdown"},
        ),
        "outputSchema": shape("id", "title", id=INTEGER, title=TEXT),
        "annotations": {"destructiveHint": False, "openWorldHint": False},
    },
    {
        "name": "list",
        "title": "List notes",
        "description": "Lists the notes, newest first.",
        "inputSchema": shape(limit={**INTEGER, "minimum": 0, "maximum": MAX_LISTED, "default": 50}),
        "outputSchema": NOTES,
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        "name": "search",
        "title": "Search notes",
        "description": "Finds the notes that contain all the given words.",
        "inputSchema": shape(
            "query", query={**TEXT, "description": "Words, in any order and case"}
        ),
        "outputSchema": NOTES,
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        "name": "remove",
        "title": "Remove a note",
        "description": "Removes a note for good.",
        "inputSchema": shape("id", id=INTEGER),
        "outputSchema": shape("id", id=INTEGER),
        "annotations": {"destructiveHint": True, "openWorldHint": False},
    },
    {
        "name": "export",
        "title": "Export all notes",
        "description": "Puts all notes into one Markdown document, reporting progress note by note.",
        "inputSchema": shape(
            pause_ms={
                **INTEGER,
                "minimum": 0,
                "maximum": MAX_PAUSE_MS,
                "default": 0,
                "description": "Milliseconds to rest at each note, to watch the progress or to try cancelling",
            }
        ),
        "outputSchema": shape("notes", "words", notes=INTEGER, words=INTEGER),
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
]
CALLS = {"add": add, "list": list_notes, "search": search, "remove": remove, "export": export}
LONG = ["export"]


def initialize(params: dict[str, Any], _task: Task) -> dict[str, Any]:
    """The handshake."""
    wanted = params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "notes", "title": "Notes", "version": "1.0.0"},
        "instructions": "Keeps notes between conversations. Search before you add, so that nothing is kept twice.",
    }


# --- the protocol -----------------------------------------------------------------------------------------------

VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


class Fault(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    """The client does not want the answer any more."""


class Task:
    """One request at work."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self.cancelled = Event()

    def report(self, done: int, total: int, text: str) -> None:
        """Tells the client how far it is, if the client asked to be told."""
        meta = self.message["params"].get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        if token is not None:
            params = {"progressToken": token, "progress": done, "total": total, "message": text}
            send({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})

    def rest(self, seconds: float) -> None:
        """Waits, and ends the task if it is cancelled meanwhile."""
        if self.cancelled.wait(seconds):
            raise Cancelled


def result(text: str, structured: dict[str, Any]) -> dict[str, Any]:
    """What a tool returns: in words and as data."""
    return {"content": [{"type": "text", "text": text}], "structuredContent": structured}


def call(params: dict[str, Any], task: Task) -> dict[str, Any]:
    """Calls a tool; what the model or the operator can mend is told as the tool's result."""
    name, arguments = params.get("name"), params.get("arguments") or {}
    if name not in list(CALLS) or not isinstance(arguments, dict):
        raise Fault(-32602, f"there is no tool {name!r} that takes such arguments")
    try:
        return CALLS[name](arguments, task)
    except ValueError as error:
        said = str(error)
    except OSError as error:
        said = f"the folder {FOLDER} cannot be used: {error.strerror}"
    return {"content": [{"type": "text", "text": said}], "isError": True}


METHODS: dict[str, Callable[[dict[str, Any], Task], dict[str, Any]]] = {
    "initialize": initialize,
    "ping": lambda _params, _task: {},
    "tools/list": lambda _params, _task: {"tools": TOOLS},
    "tools/call": call,
}
_running: dict[Any, Task] = {}
_writing = Lock()


def send(message: dict[str, Any]) -> None:
    """Writes a message; one at a time."""
    with _writing:
        print(json.dumps(message), flush=True)


def fail(request_id: object, fault: Fault) -> None:
    """Answers with an error."""
    send({"jsonrpc": "2.0", "id": request_id, "error": {"code": fault.code, "message": str(fault)}})


def work(task: Task) -> None:
    """Does what a request asks, and answers it unless it was cancelled."""
    request_id = task.message["id"]
    try:
        done = dispatch(task)
        send({"jsonrpc": "2.0", "id": request_id, "result": done})
    except Fault as fault:
        fail(request_id, fault)
    except Cancelled:
        pass  # MCP: a cancelled request is not answered
    finally:
        _running.pop(request_id, None)


def dispatch(task: Task) -> dict[str, Any]:
    """The result of a request."""
    method = METHODS.get(task.message["method"])
    if method is None:
        raise Fault(-32601, f"there is no method {task.message['method']!r}")
    return method(task.message["params"], task)


def parse(line: bytes) -> dict[str, Any]:
    """The JSON-RPC message on a line, with its params."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Fault(-32700, "this line is not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("method", ""), str):
        raise Fault(-32600, "this is not a JSON-RPC message")
    if not isinstance(message.get("id", 0), (int, float, str)):
        raise Fault(-32600, "an id is a number or a text")
    if not isinstance(message.setdefault("params", {}), dict):
        raise Fault(-32602, "params must be an object")
    return message


def receive(line: bytes, workers: ThreadPoolExecutor) -> None:
    """Takes one message: long tasks go to a worker, so that their cancellation can be read."""
    try:
        message = parse(line)
    except Fault as fault:
        fail(None, fault)
        return
    if message.get("method") == "notifications/cancelled":
        for task in list(_running.values()):
            if task.message["id"] == message["params"].get("requestId"):
                task.cancelled.set()
    elif "id" in message and "method" in message:
        task = _running[message["id"]] = Task(message)
        if message["method"] == "tools/call" and message["params"].get("name") in LONG:
            workers.submit(work, task)
        else:
            work(task)


def main() -> None:
    """Answers until stdin ends, then cancels what is still at work."""
    with ThreadPoolExecutor(max_workers=4) as workers:
        for line in sys.stdin.buffer:
            if line.strip():
                receive(line, workers)
        for task in list(_running.values()):
            task.cancelled.set()


if __name__ == "__main__":
    main()
