"""The error tree. Every error that crosses a module boundary is one of these.

    GatewayError
    ├── ClientFault              the client sent something wrong
    │   ├── Malformed            not JSON, or not JSON-RPC           (-32700 / -32600)
    │   │   ├── TooDeep          JSON that is nested too deeply      (-32700)
    │   │   └── TooLong          longer than it may be               (-32700)
    │   ├── UnknownMethod                                            (-32601)
    │   ├── InvalidParams                                            (-32602)
    │   │   ├── UnknownTarget    no such tool, prompt or resource
    │   │   └── StateRefused     a handle of ours that does not fit  (-32602)
    │   ├── VersionMismatch      protocol revision not spoken here   (-32602)
    │   ├── HeaderMismatch       HTTP headers and body disagree      (-32020)
    │   ├── MissingCapability    the client did not declare it       (-32021)
    │   └── UnsupportedVersion   of the modern era, not spoken here  (-32022)
    ├── Unauthorized             no or wrong credentials             (HTTP 401)
    ├── Forbidden                Origin, Host or policy says no      (HTTP 403)
    ├── Overloaded               a bound of `limits` was hit         (HTTP 503)
    ├── UpstreamError            the server behind us is at fault
    │   ├── Unavailable          could not be started or reached
    │   ├── Gone                 died or closed while we waited
    │   ├── TooSlow              did not answer before the deadline
    │   └── ProtocolFault        answered something that is not MCP
    ├── BackendError             the engine or the operating system is at fault
    │   ├── EngineUnreachable
    │   │   └── EngineRefuses     it is there, and does not let us in
    │   ├── ImageMissing
    │   └── StartFailed
    ├── ConfigError              a file or flag of the operator is at fault
    │   ├── CatalogError
    │   ├── SecretError
    │   └── OptionError
    ├── ActorGone                mail to an actor that no longer lives
    └── RestartLimitExceeded     a supervisor gave up

Messages say what, which, and what to do; never a secret. Foreign exceptions are mapped at the edge, `from` the cause.
Programming errors are not in the tree: they crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class GatewayError(Exception):
    """Base of all errors of the gateway. `str(error)` is one sentence, fit to be shown to a person."""

    code: int = -32603
    """JSON-RPC error code sent to a client (JSON-RPC 2.0 §5.1)."""
    http_status: int = 500
    """HTTP status where the error ends an HTTP request."""
    retryable: bool = False
    """Whether the same request may succeed later without anything being changed."""
    data: Mapping[str, object] | None = None
    """Details for programs, sent as `error.data` (JSON-RPC 2.0 §5.1); plain JSON types, never a secret."""


class ClientFault(GatewayError):
    """The client's message cannot be served as it is."""

    code = -32600
    http_status = 400


class Malformed(ClientFault):
    """Not JSON (`code` -32700) or JSON that is not a JSON-RPC message (-32600).

    `request_id` is the id the message carried, where one could be read: the error answer echoes it.
    """

    def __init__(
        self, message: str, *, code: int = -32600, request_id: float | str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


class TooDeep(Malformed):
    """JSON that is nested more deeply than it is read here."""


class TooLong(Malformed):
    """What came is longer than it may be, and is skipped. `begin`: its first bytes."""

    def __init__(self, message: str, *, begin: bytes) -> None:
        super().__init__(message, code=-32700)
        self.begin = begin


class UnknownMethod(ClientFault):
    """The method does not exist, or not in the revision that was negotiated."""

    code = -32601
    http_status = 404


class InvalidParams(ClientFault):
    """The params are missing, ill-typed, or name something that does not exist."""

    code = -32602


class UnknownTarget(InvalidParams):
    """No tool, prompt or resource of that name is exposed."""

    def __init__(
        self, message: str, *, code: int = -32602, data: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class StateRefused(InvalidParams):
    """A sealed handle of ours (a `requestState`, a task id) is not valid, not for this caller or not for this request."""


class VersionMismatch(ClientFault):
    """The protocol revision that the client asked for is not spoken here."""

    code = -32602


class HeaderMismatch(ClientFault):
    """An HTTP header of the modern era is missing, unreadable, or says something else than the body."""

    code = -32020


class MissingCapability(ClientFault):
    """The request needs something of the client that it did not declare.

    `required` is what is missing, in the form of client capabilities (`{"elicitation": {"url": {}}}`).
    """

    code = -32021

    def __init__(self, message: str, *, required: Mapping[str, object]) -> None:
        super().__init__(message)
        self.data = {"requiredCapabilities": required}


class UnsupportedVersion(ClientFault):
    """The revision in a modern request's `_meta` is not spoken here."""

    code = -32022

    def __init__(self, message: str, *, requested: str, supported: Sequence[str]) -> None:
        super().__init__(message)
        self.data = {"supported": list(supported), "requested": requested}


class Unauthorized(GatewayError):
    """No credentials, or wrong ones."""

    code = -32001
    http_status = 401


class Forbidden(GatewayError):
    """The Origin, the Host or a rule refuses this request."""

    code = -32003
    http_status = 403


class Overloaded(GatewayError):
    """A bound of `gateway.limits` was hit; nothing was started for this request."""

    code = -32000
    http_status = 503
    retryable = True


class UpstreamError(GatewayError):
    """The server behind the gateway did not do its part."""

    code = -32000
    http_status = 502
    outcome_unknown = False
    """Whether the request that failed may have been executed."""


class Unavailable(UpstreamError):
    """The server could not be started or reached."""

    retryable = True


class Gone(UpstreamError):
    """The server died, or closed its side, while an answer was due. The outcome of the call is unknown."""

    outcome_unknown = True


class TooSlow(UpstreamError):
    """The server did not answer before the deadline. Not `trio.TooSlowError`."""

    http_status = 504


class ProtocolFault(UpstreamError):
    """The server answered something that is not MCP."""


class BackendError(GatewayError):
    """The container engine or the operating system did not do its part."""

    code = -32000
    http_status = 503


class EngineUnreachable(BackendError):
    """No container engine answers, or it refuses us."""

    retryable = True


class EngineRefuses(EngineUnreachable):
    """A container engine is there, and does not let this user in."""

    retryable = False


class ImageMissing(BackendError):
    """The image is not there and could not be pulled."""


class StartFailed(BackendError):
    """The container or process could not be created or started."""


class ConfigError(GatewayError):
    """A file, flag or environment variable of the operator is at fault."""


class CatalogError(ConfigError):
    """A catalog, registry, config or tools file cannot be used."""


class SecretError(ConfigError):
    """A secret source cannot be used, or a required secret is missing."""


class OptionError(ConfigError):
    """A command-line flag or environment variable is wrong."""


class ActorGone(GatewayError):
    """The mail's receiver no longer lives."""


class RestartLimitExceeded(GatewayError):
    """A child crashed more often than its supervisor tolerates."""
