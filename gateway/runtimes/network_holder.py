"""The container that holds a network namespace for others: its program, and what the engine is told. Must not know engines.

It runs from the server's own image, so that nothing has to be pulled or built, but nothing of that image runs: the program
is ours, and is put into the container before its start. It leaves a mark on its stdout, waits for the end of its stdin, and
ends. So it ends with our connection, as servers do.

Source: System V ABI, "Object Files" (ELF header, program header); the system calls of Linux on each processor.
"""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.limits import MIB

MARK: Final = b"\n"
"""What the program says first: it runs."""

_PATH: Final = "/.mcp-network"
_NOBODY: Final = "65534:65534"
_BASE: Final = 0x400000
_EHDR_BYTES: Final = 64
_PHDR_BYTES: Final = 56
_MEMORY_BYTES: Final = 32 * MIB
"""The program needs a page or two; what starts it in the container needs more for a moment."""
_PIDS: Final = 32

_X86_64: Final = bytes.fromhex(
    "6a0a"  # push 10
    "545e"  # push rsp; pop rsi: the buffer
    "6a015f"  # push 1; pop rdi: stdout
    "89f8"  # mov eax, edi: write
    "89fa"  # mov edx, edi: one byte
    "0f05"  # syscall
    "31ff"  # again: xor edi, edi: stdin
    "31c0"  # xor eax, eax: read
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7ff6"  # jg again
    "b83c000000"  # mov eax, 60: exit with status 0
    "0f05"  # syscall
)
_AARCH64: Final = struct.pack(
    "<15I",
    0xD2800149,  # mov x9, #10
    0xF81F0FE9,  # str x9, [sp, #-16]!
    0x910003E1,  # mov x1, sp: the buffer
    0xD2800020,  # mov x0, #1: stdout
    0xD2800022,  # mov x2, #1: one byte
    0xD2800808,  # mov x8, #64: write
    0xD4000001,  # svc #0
    0xD2800000,  # again: mov x0, #0: stdin
    0xD28007E8,  # mov x8, #63: read
    0xD4000001,  # svc #0
    0xF100001F,  # cmp x0, #0
    0x54FFFF8C,  # b.gt again
    0xD2800000,  # mov x0, #0: status 0
    0xD2800BA8,  # mov x8, #93: exit
    0xD4000001,  # svc #0
)


class _Processor(msgspec.Struct, frozen=True):
    """A processor's number in ELF files, and the program in its instructions."""

    elf_machine: int
    code: bytes


_INTEL: Final = _Processor(62, _X86_64)
_ARM: Final = _Processor(183, _AARCH64)
_PROCESSORS: Final = {"x86_64": _INTEL, "amd64": _INTEL, "aarch64": _ARM, "arm64": _ARM}
"""By the names that engines have for them."""


def holder_program(architecture: str) -> bytes | None:
    """The executable for an engine's processor, None where there is none for it."""
    processor = _PROCESSORS.get(architecture)
    if processor is None:
        return None
    entry = _BASE + _EHDR_BYTES + _PHDR_BYTES
    size = _EHDR_BYTES + _PHDR_BYTES + len(processor.code)
    # 64 bits, little endian, version 1, no particular system.
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack(
        "<HHIQQQIHHHHHH",
        *(2, processor.elf_machine, 1),  # an executable
        *(entry, _EHDR_BYTES, 0, 0),
        *(_EHDR_BYTES, _PHDR_BYTES, 1, 0, 0, 0),
    )
    # One segment to be loaded, readable and executable: the whole file.
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return ident + header + segment + processor.code


def holder_archive(program: bytes) -> bytes:
    """The program as a tar archive, to be unpacked at the container's root."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(_PATH.lstrip("/"))
        member.size = len(program)
        member.mode = 0o555
        tar.addfile(member, io.BytesIO(program))
    return archive.getvalue()


def holder_config(server: Mapping[str, Any]) -> dict[str, Any]:
    """The body of `POST /containers/create` for the holder, from that of a server whose network it is to hold.

    It gets the server's network and names of hosts, and nothing else of it: no variables, no mounts, no capabilities.
    """
    host = server["HostConfig"]
    made: dict[str, Any] = {
        "AutoRemove": True,
        "SecurityOpt": host["SecurityOpt"],
        "CapDrop": ["ALL"],
        "PidsLimit": _PIDS,
        "Memory": _MEMORY_BYTES,
        "MemorySwap": _MEMORY_BYTES,
        "LogConfig": host["LogConfig"],
        "ExtraHosts": host["ExtraHosts"],
    }
    if "NetworkMode" in host:
        made["NetworkMode"] = host["NetworkMode"]
    return {
        "Image": server["Image"],
        "Labels": server["Labels"],
        "Entrypoint": [_PATH],
        "Cmd": [],
        "User": _NOBODY,
        "WorkingDir": "/",
        # The image's would be run in here.
        "Healthcheck": {"Test": ["NONE"]},
        "AttachStdin": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "HostConfig": made,
    }


def joining(server: Mapping[str, Any], holder: str) -> dict[str, Any]:
    """A server's configuration, changed: it has no network of its own but that of the container `holder`.

    Names of hosts come along with the network; an engine refuses further ones.
    """
    host = {**server["HostConfig"], "NetworkMode": f"container:{holder}", "ExtraHosts": []}
    return {**server, "HostConfig": host}
