"""What agents say, typed: the bodies of datagrams that were authenticated. docs/protocol.md describes them."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, TypeVar

from msgspec import Meta, MsgspecError, Struct, json

from monitor436.agent.wire import WireError
from monitor436.model.event import KINDS, OF_SERVERS, Event, Field, Severity

# A pattern in a type costs half a microsecond each time: it is for what comes seldom.
Spool = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Number = Annotated[int, Meta(ge=0, lt=1 << 62)]
Digest = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")]
Word = Annotated[str, Meta(max_length=64)]
Message = TypeVar("Message", bound=Struct)

_is_spool = lru_cache(maxsize=4096)(re.compile("[0-9a-f]{16}").fullmatch)
_is_kind = re.compile("[a-z_]{1,32}").fullmatch


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


class Stated(Struct, frozen=True, gc=False):
    """An event as an agent states it on the wire, where `at` is seconds since 1970."""

    at: Annotated[datetime, Meta(tz=True)]
    severity: Severity
    kind: str
    text: str
    check: str = ""
    fields: dict[str, Field] = {}
    tags: tuple[str, ...] = ()
    lost: Annotated[int, Meta(ge=0, le=1 << 40)] = 0


class Events(Struct, frozen=True, gc=False):
    """Consecutive events: spool, number of the first, up to which number some server has acknowledged, the events.

    Up to number `r` they may have gone to another server before.
    """

    s: str
    n: Annotated[int, Meta(ge=1, lt=1 << 62)]
    a: Number
    e: Annotated[list[Stated], Meta(min_length=1, max_length=64)]
    r: Number = 0

    def identified(self, host: str, start: int, received: datetime) -> list[Event]:
        """The events from index `start` on as lines of the file, each with its id."""
        spool = f"{host}/{self.s}/"
        number = self.n - 1
        if start:
            number += start + sum([each.lost for each in self.e[:start]])
        found = []
        for each in self.e[start:] if start else self.e:
            number += 1 + each.lost
            found.append(
                Event(
                    each.at, each.severity, host, each.kind, each.check, each.text, each.fields, each.tags, received,
                    spool + str(number), each.lost, number <= self.r,
                )
            )  # fmt: skip
        return found


class Nothing(Struct, frozen=True):
    """A message whose type says it all."""


def reader(message: type[Message], strict: bool = True) -> Callable[[bytes], Message]:
    """A function that gives the message in the body of a datagram of this type, or raises WireError("body")."""
    decode = json.Decoder(message, strict=strict).decode

    def read(body: bytes) -> Message:
        try:
            return decode(body)
        except (MsgspecError, RecursionError, ValueError):
            raise WireError("body") from None

    return read


_decode_events = reader(Events, strict=False)  # not strict: that takes numbers for times


def read_events(body: bytes) -> Events:
    """The message; its kinds of events need not be known here. Raises WireError("body").

    What a server alone can know, such as a silence, no host may state.
    """
    message = _decode_events(body)
    if not _is_spool(message.s):
        raise WireError("body")
    for each in message.e:
        if each.kind in OF_SERVERS or (each.kind not in KINDS and not _is_kind(each.kind)):
            raise WireError("body")
        if not 1 < each.at.year < 9999:  # these have no time of day everywhere
            raise WireError("body")
    return message


read_hello = reader(Hello)
read_beat = reader(Beat)
read_nothing = reader(Nothing)
