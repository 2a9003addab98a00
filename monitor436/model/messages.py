"""What agents say, typed: the bodies of datagrams that were authenticated. docs/protocol.md describes them."""

from typing import Annotated, Generic, TypeVar

from msgspec import Meta, MsgspecError, Struct, json

from monitor436.agent.wire import WireError
from monitor436.model.event import Stated

Spool = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Number = Annotated[int, Meta(ge=0, lt=1 << 62)]
Digest = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")]
Word = Annotated[str, Meta(max_length=64)]
Message = TypeVar("Message", bound=Struct)


class Hello(Struct, frozen=True):
    """A greeting: which boot of the machine, which agent, which plan in force, which spools still hold something."""

    boot: Word = ""
    up: Number = 0
    version: Word = ""
    plan: Digest = ""
    spools: Annotated[list[Spool], Meta(max_length=8)] = []


class Beat(Struct, frozen=True, gc=False):
    """I am alive: seconds since boot, bytes in the spool, the plan in force."""

    up: Number = 0
    fill: Number = 0
    plan: Word = ""  # only shown: a pattern would double what a heartbeat costs


class Events(Struct, frozen=True, gc=False):
    """Consecutive events: spool, number of the first, up to which number some server has acknowledged, the events.

    Up to number `r` they may have gone to another server before.
    """

    s: Spool
    n: Annotated[int, Meta(ge=1, lt=1 << 62)]
    a: Number
    e: Annotated[list[Stated], Meta(min_length=1, max_length=64)]
    r: Number = 0


class Nothing(Struct, frozen=True):
    """A message whose type says it all."""


class Reader(Generic[Message]):
    """Decodes the body of one type of message."""

    def __init__(self, message: type[Message]) -> None:
        self._decode = json.Decoder(message).decode

    def __call__(self, body: bytes) -> Message:
        """The message. Raises WireError("body")."""
        try:
            return self._decode(body)
        except (MsgspecError, RecursionError, ValueError):
            raise WireError("body") from None


read_hello = Reader(Hello)
read_beat = Reader(Beat)
read_events = Reader(Events)
read_nothing = Reader(Nothing)
