"""The engine's control plane as blocking calls: the only module that knows docker-py. Must not know trio.

Each method runs in a worker thread, takes and gives plain values, and raises our errors only.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway import limits
from gateway.errors import ImageMissing
from gateway.runtimes.container_config import HOME_LABEL, INSTANCE_LABEL
from gateway.runtimes.dial import ssh_command
from gateway.runtimes.engine_endpoint import Endpoint
from gateway.runtimes.engine_facts import (
    EngineFacts,
    Found,
    ImageFacts,
    PullEvents,
    PullProgress,
    engine_facts,
    found_container,
    found_network,
    image_facts,
)
from gateway.runtimes.engine_faults import not_pulled, unreachable
from gateway.runtimes.engine_http import Refused

if TYPE_CHECKING:
    from docker import APIClient

MINIMUM_API_VERSION: Final = "1.41"
"""Docker 20.10: the oldest engine that is tried here."""
SSH_BASE_URL: Final = "http://engine-over-ssh:2375"
"""Never resolved: an adapter of ours is mounted there."""
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


class DockerApi:
    """A connection pool to one engine; opened with the first call."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        # Threads may race for the first call; the loser's client is dropped unused.
        self._client: APIClient | None = None

    def close(self) -> None:
        """Closes the pooled connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def facts(self) -> EngineFacts:
        """Asks the engine who it is."""
        with self._calling() as client:
            return engine_facts(client.info(), client.api_version)

    def api_version(self) -> str:
        """The negotiated version of the API."""
        with self._calling() as client:
            return str(client.api_version)

    def create(self, config: Mapping[str, Any], name: str, networks: tuple[str, ...]) -> str:
        """Creates a container, connects it to further networks, and gives its id.

        Raises:
            ImageMissing: before anything was created.
        """
        with self._calling() as client:
            created = client.create_container_from_config(  # type: ignore[no-untyped-call] # so in its stubs
                config, name
            )
            identity = str(created["Id"])
            try:
                for network in networks:
                    client.connect_container_to_network(identity, network)
            except Exception:
                client.remove_container(identity, force=True)
                raise
            return identity

    def start(self, identity: str) -> None:
        """Starts a created container."""
        with self._calling() as client:
            client.start(identity)

    def unpack(self, identity: str, archive: bytes) -> None:
        """Puts the files of a tar archive into a container, at its root."""
        with self._calling() as client:
            client.put_archive(identity, "/", archive)

    def runs(self, identity: str) -> bool:
        """Whether a container runs; False where there is none."""
        try:
            with self._calling() as client:
                return bool(client.inspect_container(identity)["State"]["Running"])
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            return False

    def terminate(self, identity: str) -> None:
        """SIGTERM; fine if it has ended."""
        with self._calling() as client, _tolerating(_NOT_FOUND, _CONFLICT):
            client.kill(identity, "SIGTERM")

    def remove(self, identity: str) -> None:
        """Kills and removes with its anonymous volumes; fine if it is gone, patient if it is going."""
        try:
            with self._calling() as client, _tolerating(_NOT_FOUND):
                client.remove_container(identity, force=True, v=True)
        except Refused as error:
            if error.status != _CONFLICT:
                raise
            # "removal is already in progress": AutoRemove was faster.
            with self._calling() as client, _tolerating(_NOT_FOUND):
                client.wait(identity, timeout=int(limits.REMOVE_TIMEOUT_S), condition="removed")

    def pause(self, identity: str) -> None:
        """Freezes all processes of a container; fine if they are frozen."""
        with self._calling() as client, _tolerating(_CONFLICT):
            client.pause(identity)

    def unpause(self, identity: str) -> None:
        """Has a paused container go on. Right after a pause an engine may still say that it is not paused."""
        for pause_s in (*limits.THAW_RETRIES_S, None):
            try:
                with self._calling() as client:
                    client.unpause(identity)
            except Refused as error:
                if pause_s is None or "is not paused" not in error.reason:
                    raise
                time.sleep(pause_s)
            else:
                return

    def memory_bytes(self, identity: str) -> int:
        """What a container uses, less the file pages that the kernel may drop at once."""
        with self._calling() as client:
            told = client.stats(identity, stream=False, one_shot=True)
        memory = told.get("memory_stats") or {}
        details = memory.get("stats") or {}
        # The names under version 2 and 1 of control groups.
        droppable = details.get("inactive_file", details.get("total_inactive_file", 0))
        return max(0, int(memory.get("usage", 0)) - int(droppable))

    def image_id(self, image: str) -> str | None:
        """The id of a local image, None where it is not there."""
        try:
            with self._calling() as client:
                found = client.inspect_image(image)  # type: ignore[no-untyped-call] # so in its stubs
                return str(found["Id"])
        except (ImageMissing, Refused) as error:
            if isinstance(error, Refused) and error.status != _NOT_FOUND:
                raise
            return None

    def image_facts(self, image: str) -> ImageFacts:
        """What a local image does by itself.

        Raises:
            ImageMissing
        """
        with self._calling() as client:
            return image_facts(client.inspect_image(image))  # type: ignore[no-untyped-call] # so in its stubs

    def pull(self, image: str, report: Callable[[PullProgress], None]) -> None:
        """Pulls an image. `report` is called for each event, and may end the pull by raising.

        Raises:
            ImageMissing: the registry does not give it; says why.
        """
        try:
            with self._calling() as client:
                for event in PullEvents(image).of(client.pull(image, stream=True, decode=True)):
                    report(event)
        except ImageMissing as error:
            raise not_pulled(image, str(error)) from error
        except Refused as error:
            raise not_pulled(image, error.reason) from error

    def build(
        self, image: str, folder: Path, arguments: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        """Builds an image from a folder with a Dockerfile; gives the engine's events (see `image_builds`)."""
        with self._calling() as client:
            yield from client.build(
                path=str(folder), tag=image, buildargs=dict(arguments), rm=True, decode=True
            )

    def find(self, *, home_id: str = "", instance_id: str = "") -> list[Found]:
        """The containers with our labels, in any state; of one home or instance if given."""
        wanted = [f"{HOME_LABEL}={home_id}" if home_id else HOME_LABEL]
        if instance_id:
            wanted.append(f"{INSTANCE_LABEL}={instance_id}")
        with self._calling() as client:
            found = client.containers(all=True, filters={"label": wanted})
        return [found_container(item) for item in found]

    def find_networks(self) -> list[Found]:
        """The networks with our labels, of all homes."""
        with self._calling() as client:
            found = client.networks(filters={"label": HOME_LABEL})
        return [found_network(item) for item in found]

    def networks_of(self, container: str) -> tuple[str, ...]:
        """The networks that a container is on, () where it does not exist or has none of its own."""
        try:
            with self._calling() as client:
                inspected = client.inspect_container(container)
        except Refused:
            return ()
        names = inspected["NetworkSettings"]["Networks"] or {}
        return tuple(name for name in names if name not in {"host", "none"})

    @contextmanager
    def _calling(self) -> Iterator[APIClient]:
        """The client, with foreign errors mapped to ours."""
        # lazy: docker-py takes 0.3 s to import, and a gateway that answers from its cache never needs it
        import requests  # noqa: PLC0415 # see above
        import urllib3  # noqa: PLC0415 # see above
        from docker import errors  # noqa: PLC0415 # see above

        try:
            if self._client is None:
                self._client = _connect(self._endpoint)
            yield self._client
        except errors.ImageNotFound as error:
            raise ImageMissing(error.explanation or str(error)) from error
        except errors.APIError as error:
            reason = error.explanation or str(error)
            raise Refused(error.status_code or 0, str(reason)) from error
        except (
            errors.DockerException,
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            raise unreachable(self._endpoint, error) from error


@contextmanager
def _tolerating(*statuses: int) -> Iterator[None]:
    from docker import errors  # noqa: PLC0415 # lazy: as in `_calling`

    try:
        yield
    except errors.APIError as error:
        if error.status_code not in statuses:
            raise


def _connect(endpoint: Endpoint) -> APIClient:
    """A client that has agreed on the API's version with the engine."""
    if endpoint.kind == "unix":
        # docker-py leaves the socket open where the connect fails, and buries the reason.
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(endpoint.path)
    # docker-py's own "auto" asks the engine before the client is what `_client` makes of it.
    first = _client(endpoint, MINIMUM_API_VERSION)
    try:
        return _client(endpoint, first.version(api_version=False)["ApiVersion"])
    finally:
        first.close()


def _client(endpoint: Endpoint, version: str) -> APIClient:
    """A client that speaks `version`; nothing is sent yet."""
    from docker import APIClient, tls  # noqa: PLC0415 # lazy: as in `_calling`

    over_ssh = endpoint.kind == "ssh"
    files = endpoint.tls
    client = APIClient(
        base_url=SSH_BASE_URL if over_ssh else endpoint.url,
        version=version,
        timeout=int(limits.ENGINE_TIMEOUT_S),
        tls=tls.TLSConfig(
            client_cert=(files.cert, files.key) if files.cert and files.key else None,
            ca_cert=files.ca or None,
            verify=files.verify,
        )
        if files
        else False,
    )
    # The web's proxies and certificate bundles (REQUESTS_CA_BUNDLE wins over ours otherwise) are no way to an engine.
    client.trust_env = False
    if over_ssh:
        from gateway.runtimes.docker_ssh import ssh_adapter  # noqa: PLC0415 # lazy: as in `_calling`

        client.mount(SSH_BASE_URL, ssh_adapter(ssh_command(endpoint)))
    return client
