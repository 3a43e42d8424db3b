"""Builds the zipapp: `python -m release.build_pyz [--platform linux-x86_64-glibc] [--output FILE]`.

Reads shiv.toml, unites the locked wheels of all its Python versions with our own packages, lets shiv write the archive,
and puts our start (`gateway.bootstrap`) in front of shiv's. docs/decisions/002-zipapp.md says why it is so.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import shiv
from shiv.bootstrap.environment import Environment
from shiv.builder import create_archive

from gateway.bootstrap.cache import BUILD_ID_DIGITS
from gateway.bootstrap.start import Build, this_platform
from release.wheels import GLIBC_MINIMUM, BuildError, download, unite

ROOT: Final = Path(__file__).resolve().parent.parent
_CACHE: Final = ROOT / ".build" / "wheels"
_FIRST_ZIP_DATE: Final = 315_532_800
"""The start of 1980, before which a zip has no dates: the date of everything in a reproducible archive."""
_TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
"""How shiv writes and reads the date."""
_PLAIN_FILE: Final = 0o100644 << 16
"""Permissions of every file in the archive, whatever the umask of the builder."""

_MAIN: Final = '''\
"""First look at the Python that runs us. Must parse under any Python, even 2.7."""
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "mcpgw: this file does not run on Python %d.%d; run it as: python{newest} %s"
        % (sys.version_info[0], sys.version_info[1], sys.argv[0])
    )

from _mcpgw.start import Build, start

start({build!r})
'''


def main() -> None:
    """Builds the file that shiv.toml describes, and says where it is."""
    parser = argparse.ArgumentParser(description="Builds mcpgw.pyz as shiv.toml says.")
    parser.add_argument("--platform", default=this_platform(), help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="default: the output of shiv.toml")
    arguments = parser.parse_args()
    recipe = tomllib.loads((ROOT / "shiv.toml").read_text(encoding="utf-8"))
    output = arguments.output or ROOT / recipe["output"]
    try:
        build(recipe, arguments.platform, output)
    except BuildError as error:
        sys.exit(f"build_pyz: {error}")
    size_mib = output.stat().st_size / 1024 / 1024
    _say(
        f"{output.name}: {size_mib:.1f} MiB for {arguments.platform}, Python {', '.join(recipe['python'])}"
    )


def build(recipe: Mapping[str, Any], platform: str, output: Path) -> None:
    """Writes the zipapp, whole or not at all.

    Args:
        recipe: the table of shiv.toml.
        platform: such as `linux-x86_64-glibc`.
        output: replaced by rename, so that a running gateway keeps its file.

    Raises:
        BuildError: wheels cannot be fetched or united, or the recipe names what does not exist.
    """
    with tempfile.TemporaryDirectory(prefix="mcpgw-build-") as scratch:
        site = Path(scratch) / "site-packages"
        unite(_wheels(recipe, platform), site)
        for name in recipe["packages"]:
            _copy_package(ROOT / name, site / name)
        _refuse_shadows(site)
        build_id = fingerprint(site)
        by_shiv = Path(scratch) / "shiv.pyz"
        _run_shiv(site, by_shiv, build_id, recipe)
        pythons = tuple(_version(python) for python in recipe["python"])
        ours = _front(Build(build_id, platform, pythons, GLIBC_MINIMUM))
        partial = output.with_name(f".{output.name}.partial")
        _finish(by_shiv, ours, partial, recipe)
        partial.replace(output)


def fingerprint(site: Path) -> str:
    """The build id: a hash over the names and bytes of all files."""
    digest = hashlib.sha256()
    for path in sorted(site.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(site)}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:BUILD_ID_DIGITS]


def _wheels(recipe: Mapping[str, Any], platform: str) -> Iterator[Path]:
    """The wheels of all Python versions; those that fit several come up several times, and are the same."""
    for python in recipe["python"]:
        _say(f"wheels for Python {python}")
        yield from download(
            ROOT / recipe["requirements"], python=python, platform=platform, into=_CACHE
        )


def _copy_package(source: Path, target: Path) -> None:
    """Copies one of our own packages, without what Python or an editor left there."""
    if not source.is_dir():
        raise BuildError(f"shiv.toml names the package {source.name}, which does not exist")
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*~")
    shutil.copytree(source, target, ignore=ignore)


def _refuse_shadows(site: Path) -> None:
    """Ends the build if a package has the name of a module of the standard library."""
    names = {path.name.split(".")[0] for path in site.iterdir()}
    if shadows := sorted(names & sys.stdlib_module_names):
        raise BuildError(f"packages hide modules of the standard library: {', '.join(shadows)}")


def _run_shiv(site: Path, target: Path, build_id: str, recipe: Mapping[str, Any]) -> None:
    """Has shiv write its archive: the files below site-packages/, its bootstrap, its environment.json."""
    environment = Environment(
        built_at=time.strftime(_TIME_FORMAT, time.gmtime(_built_at(recipe))),
        build_id=build_id,
        # Bytecode is made at import, of what is imported; most of it never is.
        compile_pyc=False,
        entry_point=_entry_point(recipe["console_script"]),
        reproducible=recipe["reproducible"],
        shiv_version=shiv.__version__,
    )
    main = "_bootstrap:bootstrap"
    create_archive([site], target, recipe["interpreter"], main, environment, compressed=False)


def _built_at(recipe: Mapping[str, Any]) -> int:
    """The time written into the archive, in seconds since 1970."""
    return _FIRST_ZIP_DATE if recipe["reproducible"] else int(time.time())


def _entry_point(console_script: str) -> str:
    """The `module:function` of a console script of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    try:
        return str(project["scripts"][console_script])
    except KeyError:
        raise BuildError(f"pyproject.toml has no console script {console_script}") from None


def _front(build: Build) -> dict[str, bytes]:
    """What we put in front of shiv's bootstrap: names in the archive and their bytes."""
    newest = ".".join(map(str, max(build.pythons)))
    files = {"__main__.py": _MAIN.format(build=build, newest=newest).encode()}
    for path in (ROOT / "gateway" / "bootstrap").glob("*.py"):
        files[f"_mcpgw/{path.name}"] = path.read_bytes()
    return files


def _finish(
    by_shiv: Path, front: dict[str, bytes], target: Path, recipe: Mapping[str, Any]
) -> None:
    """Writes shiv's archive anew: compressed, our start first, sorted, no traces of the building machine."""
    with zipfile.ZipFile(by_shiv) as source, target.open("wb") as file:
        written = max(entry.date_time for entry in source.infolist())
        contents = {name: source.read(name) for name in source.namelist()} | front
        file.write(f"#!{recipe['interpreter']}\n".encode())
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(contents):
                entry = zipfile.ZipInfo(name, written)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = _PLAIN_FILE
                archive.writestr(entry, contents[name])
    target.chmod(0o755)


def _version(text: str) -> tuple[int, int]:
    """`3.12` as numbers."""
    major, minor = text.split(".")
    return int(major), int(minor)


def _say(line: str) -> None:
    print(f"build_pyz: {line}", flush=True)


if __name__ == "__main__":
    main()
