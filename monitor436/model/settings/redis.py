"""Settings of the Redis or Valkey server that several servers and workers share."""

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from monitor436.agent.plan import shown
from monitor436.model.settings.said import why
from monitor436.model.source import Path
from monitor436.model.units import Duration, FilePath

_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]{1,253})):([0-9]{1,5})")


def place(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[IPv6]:port`. Raises ValueError with a sentence."""
    found = _PLACE.fullmatch(address)
    if not found or not 0 < int(found[3]) < 65536:
        raise ValueError(f'expected host:port such as "127.0.0.1:6379", got {shown(address)}')
    return found[1] or found[2], int(found[3])


class Redis(Struct, frozen=True):
    """How it is reached."""

    address: Annotated[str, why('Where it listens, host:port, such as 127.0.0.1:6379; "": it is not used.')] = ""
    database: Annotated[int, why("The number of the database there.", ge=0, le=1_000_000)] = 0
    user: Annotated[str, why('The name of the user there, as ACL lists have it; "": the default one.')] = ""
    password_file: Annotated[FilePath, why("A file whose first line is the password.")] = ""
    tls: Annotated[bool, why("Talk TLS with it, and verify its certificate.")] = False
    ca: Annotated[FilePath, why("PEM certificates of authorities that are trusted instead of the system's.")] = ""
    certificate: Annotated[FilePath, why("Our own PEM certificate with its key, if it asks for one.")] = ""
    time_limit: Annotated[Duration, why("How long it may take to answer.", ge=0.05, le=60.0)] = 5.0

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if self.address:
            try:
                place(self.address)
            except ValueError as wrong:
                yield ("address",), str(wrong)
        if self.user and not self.password_file:
            yield ("password_file",), "must be given, as there is a user"
        for name in ("ca", "certificate"):
            if getattr(self, name) and not self.tls:
                yield (name,), "has no effect without tls: true"
