"""`server list|add|remove|enable|disable|inspect` over a real home."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.catalog.model import ServerEntry
from gateway.home import Home
from gateway.mcp.listing import Item, ServerLists, dump_lists
from gateway.runtimes.link_notes import LinkNote, save_note
from tests.unit.gateway.cli.conftest import Run

CATALOG = """\
version: 3
name: mine
registry:
  time:
    title: Time
    description: Tells the time.
    image: mcp/time
    command: ["--zone", "{{time.zone}}"]
  github:
    image: mcp/github
    secrets:
      - name: github.token
        env: GITHUB_TOKEN
        required: true
    env:
      - name: HEADER
        value: Bearer $GITHUB_TOKEN
    command: ["--auth", "$GITHUB_TOKEN"]
    volumes: ["data-$GITHUB_TOKEN:/data"]
  docs:
    type: remote
    remote:
      url: https://docs.example/$DOCS_KEY
      transport_type: streamable-http
      headers:
        Authorization: Bearer ${DOCS_KEY}
    secrets:
      - {name: docs.key, env: DOCS_KEY}
  broken:
    image: [1, 2]
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def mine(write: Write) -> None:
    """A home with a catalog, of which two servers are enabled."""
    write("catalogs/mine.yaml", CATALOG)
    write(
        "registry.yaml", "# what I use\nregistry:\n  time:\n    ref: ''\n  github:\n    ref: ''\n"
    )


def test_empty_home_shows_the_starter_catalog(run: Run) -> None:
    """Who has configured nothing sees the built-in servers, enabled."""
    done = run("server", "ls", "--format=json")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert set(rows) == {"dice", "clock", "notes"}
    assert all(row["enabled"] and row["kind"] == "container" for row in rows.values())


@pytest.mark.usefixtures("mine")
def test_list_shows_state_and_reason(run: Run) -> None:
    """Enabled, broken and available servers are told apart; a fault has its file, line and reason."""
    done = run("server", "list", "--json")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert [
        (rows[name]["enabled"], rows[name]["state"]) for name in ("time", "github", "docs")
    ] == [
        (True, "ok"),
        (True, "broken"),
        (False, "disabled"),
    ]
    assert "mcpgw secret set github.token" in rows["github"]["reason"]
    assert "mine.yaml:29: " in rows["broken"]["reason"]
    assert rows["docs"]["kind"] == "remote"
    assert not rows["broken"]["enabled"]
    assert run("server", "enable", "broken").status == 0
    rows = {row["name"]: row for row in json.loads(run("server", "ls", "--json").out)}
    assert rows["broken"]["enabled"]


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("file", ["tools.yaml", "config.yaml"])
def test_list_shows_what_a_broken_setting_leaves(run: Run, home: Path, file: str) -> None:
    """Clients still see the server: the list does not say otherwise."""
    (home / file).write_text("time: 3\n")
    (row,) = (row for row in json.loads(run("server", "ls", "--json").out) if row["name"] == "time")
    assert (row["enabled"], row["state"]) == (True, "broken")
    assert f"{file}:1: `time` must be a " in row["reason"]


@pytest.mark.usefixtures("mine")
def test_list_for_people(run: Run) -> None:
    """The table has the columns that people look for; --enabled leaves out the rest."""
    done = run("server", "ls", "--enabled")
    lines = done.out.splitlines()
    assert lines[0].split() == ["NAME", "ENABLED", "KIND", "IMAGE", "STATE"]
    assert lines[1].split() == ["time", "yes", "container", "mcp/time", "ok"]
    assert "docs" not in done.out


@pytest.mark.usefixtures("mine")
def test_enable_and_disable_keep_comments(run: Run, home: Path) -> None:
    """The registry is edited, not rewritten."""
    assert run("server", "enable", "docs").status == 0
    assert run("server", "disable", "time").status == 0
    text = (home / "registry.yaml").read_text()
    assert text.startswith("# what I use\n")
    assert "docs:" in text
    assert "time:" not in text


@pytest.mark.usefixtures("mine")
def test_enabling_says_what_is_missing(run: Run) -> None:
    """A server whose required secret is missing is enabled, and the missing secret named."""
    run("server", "disable", "github")
    done = run("server", "enable", "github")
    assert done.status == 0
    assert "github does not run yet" in done.err
    assert "mcpgw secret set github.token" in done.err


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("verb", ["enable", "disable", "remove", "inspect"])
def test_unknown_names_are_refused_with_a_suggestion(run: Run, verb: str) -> None:
    """A misspelt server is named with the one that was meant."""
    done = run("server", verb, "gihtub")
    assert done.status == 2
    assert "(did you mean github?)" in done.err
    assert done.err.count("\n") == 1


def test_disabling_one_starter_server_keeps_the_others(run: Run) -> None:
    """In an empty home everything is enabled; disabling one writes down the rest."""
    assert run("server", "disable", "dice").status == 0
    rows = {row["name"]: row["enabled"] for row in json.loads(run("server", "ls", "--json").out)}
    assert rows == {"dice": False, "clock": True, "notes": True}
    assert run("server", "enable", "dice").status == 0
    assert all(row["enabled"] for row in json.loads(run("server", "ls", "--json").out))


@pytest.mark.parametrize(
    ("flags", "kind", "image"),
    [
        (["--image", "mcp/x", "--command", "--a 'b c'", "--env", "K=V", "--volume", "v:/d"], "container", "mcp/x"),
        (["--process", "npx -y thing"], "process", "npx -y thing"),
        (["--url", "https://x.example/mcp", "--header", "A=B"], "remote", "https://x.example/mcp"),
        (["--url", "https://x.example/sse", "--transport", "sse"], "remote", "https://x.example/sse"),
        (["--url", "wss://x.example/ws"], "remote", "wss://x.example/ws"),
    ],
)  # fmt: skip
def test_add_by_flags(run: Run, flags: list[str], kind: str, image: str) -> None:
    """Each form adds an enabled server of its kind."""
    done = run("server", "add", "x", *flags)
    assert (done.status, "x is added to" in done.err) == (0, True)
    rows = {row["name"]: row for row in json.loads(run("server", "ls", "--json").out)}
    assert (rows["x"]["enabled"], rows["x"]["kind"], rows["x"]["image"]) == (True, kind, image)


def test_add_says_that_the_starter_servers_go(run: Run) -> None:
    """The first own server ends the empty home, and its operator is told."""
    assert "clock, dice, notes of the starter catalog" in run("server", "add", "x", "--image=i").err


def test_add_from_file_keeps_what_it_says(run: Run, tmp_path: Path, home: Path) -> None:
    """A catalog file's entries are taken over; a process no longer depends on the file's folder."""
    file = tmp_path / "servers" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(
        "registry:\n  a:\n    image: i\n    env:\n      - name: VERSION\n        value: 1.10\n"
        "  b:\n    process:\n      command: [./run.sh, --x]\n"
    )
    assert run("server", "add", str(file)).status == 0
    view = json.loads(run("server", "inspect", "a", "--json").out)
    assert view["entry"]["env"] == [{"name": "VERSION", "value": "1.10"}]
    launch = json.loads(run("server", "inspect", "b", "--json").out)["launch"]
    assert Path(launch["command"][0]) == file.parent / "run.sh"
    assert Path(launch["cwd"]) == file.parent
    assert (home / "catalogs" / "custom.yaml").is_file()


def test_add_single_entry_file(run: Run, tmp_path: Path) -> None:
    """A file that is one entry with a name works, too."""
    file = tmp_path / "one.json"
    file.write_text('{"name": "one", "image": "i"}')
    assert run("server", "add", str(file)).status == 0
    assert run("server", "inspect", "one").status == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["x"], "give one of --image, --process and --url, not none"),
        (["x", "--image=i", "--url=https://u"], "not --image and --url"),
        (["x", "--url=https://u", "--volume=a:/b"], "--volume goes with --image, not with --url"),
        (["x", "--image=i", "--header=a=b"], "--header goes with --url, not with --image"),
        (["x", "--image=i", "--env=K"], "--env: 'K' is not KEY=VALUE"),
        (["x", "--image=i", "--secret=:E"], "is not NAME or NAME:ENV"),
        (["x y", "--image=i"], "cannot be a server's name"),
        (["./nowhere.yaml"], "nowhere.yaml: cannot be read: no such file"),
        (["x", "--image=-rm"], "x: "),
        (["x", "--url=ftp://u"], "--url: must be an http, https, ws or wss URL"),
        (["x", "--url=https://u", "--transport=websocket"], "--transport websocket does not go"),
        (["x", "--url=wss://u", "--transport=sse"], "--transport sse does not go"),
        (["x", "--process=it's"], '--process: "it\'s" is no command line: No closing quotation'),
        (["x", "--image=i", "--command=a\\"], "is no command line: No escaped character"),
    ],
)
def test_add_refuses_what_cannot_run(run: Run, home: Path, words: list[str], part: str) -> None:
    """Nothing is written where the entry is of no use."""
    done = run("server", "add", *words)
    assert (done.status, part in done.err) == (2, True), done.err
    assert not (home / "catalogs").exists()


def test_added_names_are_not_overwritten(run: Run) -> None:
    """A second `add` of a name needs --force."""
    run("server", "add", "x", "--image=one")
    again = run("server", "add", "x", "--image=two")
    assert (again.status, "--force" in again.err) == (2, True)
    assert run("server", "add", "x", "--image=two", "--force").status == 0
    assert "two" in run("server", "ls").out


@pytest.mark.usefixtures("mine")
def test_remove_takes_only_what_was_added(run: Run) -> None:
    """`remove` undoes `add`; entries of other files are left to their owner."""
    run("server", "add", "x", "--image=i")
    assert run("server", "rm", "x").status == 0
    assert "\nx " not in run("server", "ls").out
    done = run("server", "remove", "time")
    assert (done.status, "`mcpgw server disable time`" in done.err) == (2, True)


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_inspect_never_shows_a_secret(run: Run, form: str) -> None:
    """The launch is shown with names of variables and headers, and secret values masked wherever they went."""
    run("server", "enable", "docs")
    run("secret", "set", "github.token=s3cr3t-value", "docs.key=k3y-value")
    for name in ("github", "docs"):
        done = run("server", "inspect", name, "--format", form)
        assert done.status == 0
        assert "s3cr3t-value" not in done.out + done.err
        assert "k3y-value" not in done.out + done.err
    view = json.loads(run("server", "inspect", "github", "--json").out)
    assert view["launch"]["env"] == ["GITHUB_TOKEN", "HEADER"]
    assert view["launch"]["command"] == ["--auth", "***"]
    assert view["secrets"] == {"github.token": "store"}


@pytest.mark.usefixtures("mine")
def test_inspect_shows_lists_and_stderr_of_the_last_run(run: Run, home: Path, write: Write) -> None:
    """What a server listed and said when it last ran is shown without starting it."""
    # lazy: as the commands do
    from gateway.configuration import load_snapshot
    from gateway.options import GatewayOptions

    server = load_snapshot(GatewayOptions(home=str(home)), {}).servers["time"]
    lists = ServerLists(
        version="2025-11-25",
        capabilities={},
        server_info=b"{}",
        tools=(Item("now", {"name": b'"now"'}),),
    )
    path = Home(home).lists(server.list_key)
    path.parent.mkdir(parents=True)
    path.write_bytes(dump_lists(lists))
    write(str(Home(home).stderr("time").relative_to(home)), "it hurts\n")
    view = json.loads(run("server", "inspect", "time", "--json").out)
    assert view["lists"]["tools"] == ["now"]
    assert view["stderr"] == "it hurts\n"
    assert "it hurts" in run("server", "inspect", "time").out


@pytest.mark.usefixtures("mine")
def test_inspect_says_over_which_link_a_server_was_reached(run: Run, home: Path) -> None:
    """And for what reason not over named pipes; nothing before it ever ran."""
    assert json.loads(run("server", "inspect", "time", "--json").out)["link"] == ""
    save_note(Home(home), "time", LinkNote("fifo"))
    assert json.loads(run("server", "inspect", "time", "--json").out)["link"] == "fifo"
    save_note(Home(home), "time", LinkNote("attach", "its image has no /bin/sh", "sha256:1"))
    assert "attach: its image has no /bin/sh" in run("server", "inspect", "time").out


@pytest.mark.usefixtures("mine")
def test_inspect_says_enabled_as_the_list_does(run: Run) -> None:
    """A server that is enabled and cannot run is enabled."""
    view = json.loads(run("server", "inspect", "github", "--json").out)
    assert (view["enabled"], view["launch"]) == (True, None)
    assert "not listed yet" not in run("server", "inspect", "github").out


def test_inspect_shows_the_tools_of_a_poci_entry(run: Run, write: Write) -> None:
    """They are in the catalog: nothing has to be listed."""
    write(
        "catalogs/p.yaml",
        "registry: {p: {type: poci, tools: [{name: say, container: {image: i:1}}]}}\n",
    )
    lines = run("server", "inspect", "p").out.splitlines()
    assert "tools    say: i:1" in lines


@pytest.mark.usefixtures("mine")
def test_inspect_broken_entry(run: Run) -> None:
    """A broken entry has no more to show than where it is broken."""
    done = run("server", "inspect", "broken")
    assert done.status == 2
    assert "broken is broken: " in done.err
    assert "mine.yaml:29" in done.err


def test_entries_can_be_shown_whatever_they_hold() -> None:
    """Every field of the model has a plain form."""
    from gateway.catalog.model import Origin
    from gateway.cli.server_inspect import _plain_entry

    assert _plain_entry(ServerEntry(name="x", origin=Origin("f"))) == {"kind": "server"}
