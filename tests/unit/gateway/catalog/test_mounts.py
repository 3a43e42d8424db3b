"""Volumes: their forms, and host paths that no server gets unasked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog.model import Mount
from gateway.catalog.mounts import MountRules, parse_mounts
from gateway.catalog.settings import parse_config
from gateway.errors import CatalogError

RULES = MountRules(server="fs", home="/home/me")


def mount(volume: str, *, rules: MountRules = RULES) -> Mount:
    """The one mount of a volume."""
    (parsed,) = parse_mounts([volume], rules)
    return parsed


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ("cache:/cache", Mount("cache", "/cache")),
        ("cache:/cache:ro", Mount("cache", "/cache", read_only=True)),
        ("/data", Mount("", "/data")),
        ("/srv/a:/a", Mount("/srv/a", "/a", bind=True)),
        ("/srv/a:/a:rw", Mount("/srv/a", "/a", bind=True)),
        ("/srv/a:/a:ro", Mount("/srv/a", "/a", read_only=True, bind=True)),
        ("/srv/a:/a:ro,z", Mount("/srv/a", "/a", read_only=True, bind=True)),
        ("/srv/x/../a/:/a", Mount("/srv/a", "/a", bind=True)),
        ("//srv//a:/a", Mount("/srv/a", "/a", bind=True)),
        ("~/docs:/docs", Mount("/home/me/docs", "/docs", bind=True)),
        (
            "C:\\Users\\me\\docs:/C/Users/me/docs",
            Mount("C:\\Users\\me\\docs", "/C/Users/me/docs", bind=True),
        ),
        ("d:/x:/d/x:ro", Mount("d:/x", "/d/x", read_only=True, bind=True)),
    ],
)
def test_forms_of_a_volume(volume: str, expected: Mount) -> None:
    """Named, anonymous, bound; Unix and Windows. The mode is the entry's."""
    assert mount(volume) == expected


def test_empty_volumes_are_skipped() -> None:
    """A template without a value leaves nothing, or a lone colon."""
    assert parse_mounts(["", " ", ":", "::"], RULES) == ()


@pytest.mark.parametrize(
    "volume",
    [
        "-v",
        "--privileged:/x",
        "a:b",
        "a:/",
        "a:",
        "./x:/x",
        "../x:/x",
        "a/b:/x",
        "a:/x:what",
        "a:/b:ro:/c",
        "/a:/b:/c",
    ],
)
def test_malformed_volumes_are_refused(volume: str) -> None:
    """Flags, relative paths, targets that are no path, modes that are none."""
    with pytest.raises(CatalogError):
        mount(volume)


GUARDED = [
    "/",
    "/etc",
    "/etc/ssh",
    "/proc",
    "/sys/fs/cgroup",
    "/root",
    "/root/project",
    "/dev",
    "/run",
    "/run/secrets",
    "/var",
    "/var/run",
    "/var/run/docker.sock",
    "/var/lib",
    "/var/lib/docker/volumes",
    "/boot",
    "/home",
    "/Users",
    "/ETC",
    "/private/etc",
    "/home/me",
    "/home/me/.ssh",
    "/home/you/.aws/credentials",
    "/srv/.SSH",
    "/srv/x/.kube/config",
    "/srv/.docker",
    "/srv/.gnupg",
    "/srv/.azure",
    "/home/me/.config/gcloud",
    "/srv/id_rsa",
    "/srv/id_ed25519",
    "/srv/podman.sock",
    "/srv/.netrc",
    "C:\\Windows\\System32",
    "C:\\Users\\me\\.ssh",
    "C:/",
    "/../etc",
    "~",
    "~/.ssh",
]


@pytest.mark.parametrize("source", GUARDED)
def test_guarded_paths_are_refused_with_the_line_that_allows_them(source: str) -> None:
    """And that line, put into config.yaml, does allow it."""
    with pytest.raises(CatalogError) as caught:
        mount(f"{source}:/x")
    printed = str(caught.value).partition("add to config.yaml: ")[2]
    lines = parse_config(printed.encode(), source="config.yaml").mounts_of("fs")
    bound = mount(f"{source}:/x", rules=MountRules(server="fs", home="/home/me", allowed=lines))
    assert lines == (f"{bound.source}:rw",)
    assert not bound.read_only


@pytest.mark.parametrize(
    "source",
    [
        "/srv/data",
        "/tmp/x",
        "/home/me/work",
        "/var/www",
        "/var/lib/mine",
        "/data/etc",
        "/srv/ssh",
        "C:\\work",
    ],
)
def test_other_paths_are_free(source: str) -> None:
    """The files that people want their servers to see."""
    assert mount(f"{source}:/x").bind


def test_allowed_for_reading_means_reading() -> None:
    """A line without `:rw` makes the bind read-only, whatever the entry asks for."""
    rules = MountRules(server="fs", allowed=("/etc",))
    assert mount("/etc/hosts:/h:rw", rules=rules).read_only
    assert not mount("/etc:/e", rules=MountRules(server="fs", allowed=("/etc:rw",))).read_only
    assert mount("/etc:/e", rules=MountRules(server="fs", allowed=("/etc:ro",))).read_only


def test_line_allows_what_lies_below_and_nothing_beside() -> None:
    """`/etc/ssl` does not allow `/etc/sslx`, nor `/etc`."""
    rules = MountRules(server="fs", home="/home/me", allowed=("/etc/ssl:rw", "~/.ssh"))
    assert mount("/etc/ssl/certs:/c", rules=rules).source == "/etc/ssl/certs"
    assert mount("~/.ssh:/s", rules=rules).read_only
    for source in ("/etc/sslx", "/etc"):
        with pytest.raises(CatalogError):
            mount(f"{source}:/c", rules=rules)


def test_links_are_resolved_before_judging() -> None:
    """A link to a guarded path is that path; what is bound is where it leads."""
    links = {"/srv/link": "/etc", "/srv/fine": "/srv/real"}
    rules = MountRules(server="fs", resolve=lambda path: links.get(path, path))
    assert mount("/srv/fine:/x", rules=rules).source == "/srv/real"
    with pytest.raises(CatalogError, match="/etc"):
        mount("/srv/link:/x", rules=rules)


def test_read_only_refusal_prints_a_read_only_line() -> None:
    """No more is offered than was asked for."""
    with pytest.raises(CatalogError) as caught:
        mount("/etc:/e:ro")
    assert str(caught.value).endswith('mounts: {fs: ["/etc"]}')


@given(st.text(alphabet="/.~:abcCD\\ -etrosh", max_size=20))
def test_any_volume_is_mounted_or_refused(volume: str) -> None:
    """And what is mounted as a bind is an absolute path outside of what is guarded."""
    try:
        mounts = parse_mounts([volume], RULES)
    except CatalogError:
        return
    for parsed in mounts:
        assert parsed.target.startswith("/")
        if parsed.bind:
            assert parsed.source[0] == "/" or parsed.source[1] == ":"
            assert not parsed.source.lower().startswith(("/etc/", "/root/", "/dev/"))
