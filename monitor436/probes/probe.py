"""What a probe is: something that asks one target, and gives the body of its answer or raises a `Failure`."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

HTTP_REASONS = (
    "name",
    "refused",
    "unreachable",
    "connect",
    "tls",
    "header",
    "body",
    "status",
    "too_long",
    "json",
    "schema",
    "redirect",
    "protocol",
)
"""Classes of failure over HTTP. `connect`, `header` and `body` are time-outs: before the connection stood, before the
answer's header was complete, and before its body was. `json` and `schema` are found by whoever reads the body."""

SSH_REASONS = ("banner", "key_exchange", "host_key", "authentication", "command", "output")
"""Those that only ssh has: what a host failed at or had no more time for; `output` is found by whoever reads what the
command printed."""

REASONS = (*HTTP_REASONS, *SSH_REASONS)


class Failure(Exception):
    """Why a target did not answer as it should: `reason`, one of `REASONS`, and `text`, a sentence for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(reason, text)
        self.reason = reason
        self.text = text

    def __str__(self) -> str:
        return self.text


class Target(NamedTuple):
    """What is asked: its name as somebody wrote it, and where that is."""

    name: str
    url: str
    host: str
    port: int


class Answer(NamedTuple):
    """A target answered, with this body, so many seconds after it was asked."""

    target: Target
    seconds: float
    body: bytes


class Failed(NamedTuple):
    """A target did not answer as it should: the class of the failure, and a sentence."""

    target: Target
    seconds: float
    reason: str
    text: str


class Probe(Protocol):
    """Asks one target a call, any number of them at once; `timeout`: the seconds it gives each."""

    timeout: float

    async def probe(self, target: Target, within: float | None = None) -> bytes:
        """The body of the answer, within `within` seconds or the usual time; raises `Failure`, and nothing else."""

    async def close(self) -> None:
        """Let go of every connection that is kept."""


class Begun(Protocol):
    """A connection on its way to a target."""

    def drop(self) -> None:
        """The target is not asked after all."""


@runtime_checkable
class EarlyProbe(Probe, Protocol):
    """A probe that can connect before it asks."""

    def begin(self, target: Target) -> Any:
        """Begin to connect, a Begun; None where a connection is kept, or where that takes more than a connection."""

    async def probe(self, target: Target, within: float | None = None, begun: Any = None) -> bytes:
        """As any probe; over what has `begun` to this target, if that is given."""
