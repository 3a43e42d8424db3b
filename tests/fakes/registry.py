"""An image registry of one image, on this machine: engines take 127.0.0.0/8 without TLS. Counts what is fetched."""

from __future__ import annotations

import gzip
import hashlib
import io
import platform
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


class FakeRegistry:
    """Serves `binary` as the entry point of an image; `label` makes its id one of a kind."""

    def __init__(self, binary: Path, label: str) -> None:
        layer = _layer(binary.read_bytes())
        packed = gzip.compress(layer, compresslevel=1, mtime=0)
        machine = platform.machine()
        config = msgspec.json.encode(
            {
                "architecture": _ARCHITECTURES.get(machine, machine),
                "os": "linux",
                "config": {"Entrypoint": ["/echo-server"], "Labels": {"test": label}},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        )
        manifest = msgspec.json.encode(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _reference(_CONFIG, config),
                "layers": [_reference(_LAYER, packed)],
            }
        )
        self._answers = {
            "/v2/": (b"{}", "application/json"),
            "/v2/test/echo/manifests/1": (manifest, _MANIFEST),
            f"/v2/test/echo/manifests/{_digest(manifest)}": (manifest, _MANIFEST),
            f"/v2/test/echo/blobs/{_digest(config)}": (config, _CONFIG),
            f"/v2/test/echo/blobs/{_digest(packed)}": (packed, _LAYER),
        }
        # Paths that were asked for, in order.
        self.fetched: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def image(self) -> str:
        """The image's full name."""
        return f"127.0.0.1:{self._server.server_port}/test/echo:1"

    def __enter__(self) -> Self:
        """Starts serving."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                """Only the head."""
                self._answer(body=False)

            def do_GET(self) -> None:
                """Head and body."""
                self._answer(body=True)

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

            def _answer(self, *, body: bool) -> None:
                registry.fetched.append(self.path)
                content, kind = registry._answers.get(self.path, (b"", ""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(content)))
                if kind == _MANIFEST:
                    self.send_header("Docker-Content-Digest", _digest(content))
                self.end_headers()
                if body:
                    self.wfile.write(content)

        return Handler


def _layer(binary: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("echo-server")
        entry.size, entry.mode = len(binary), 0o755
        tar.addfile(entry, io.BytesIO(binary))
    return archive.getvalue()


def _reference(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
