"""The file that holds when each host was last seen: some hosts at a time, so that a large fleet stops nobody."""

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import MsgspecError, Struct, json, structs

from monitor436.model.hosts.host import Seen
from monitor436.model.hosts.roster import Roster

AT_ONCE = 1000  # hosts in a turn: some milliseconds


class Snapshot(Struct, frozen=True):
    """What is kept of the roster and shown by `monitor436 hosts`: when (wall clock), by whom, and the hosts.

    `lag` is how late the server came to what it had to do in the last minute: seconds, the 99th percentile.
    """

    wall: float
    server: str
    hosts: list[Seen]
    lag: float = 0.0


class LastSeen:
    """Keeps a roster in the file `path`. Raises OSError where the disk does."""

    def __init__(self, roster: Roster, path: Path, server: str) -> None:
        self._roster = roster
        self._path = path
        self._server = server
        self._round: Iterator[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a round is under way."""
        return self._round is not None

    def begin(self, now: float, wall: float, lag: float) -> None:
        """Begin to keep how everything is now: on the monotonic clock and on the wall."""
        self._round = self._keep(now, wall, lag)

    def turn(self) -> None:
        """Go on with the next hosts; with the last ones the file is replaced."""
        if self._round is not None and next(self._round, self) is self:
            self._round = None

    def keep(self, now: float, wall: float, lag: float) -> None:
        """Keep everything at once."""
        self.begin(now, wall, lag)
        while self.busy:
            self.turn()

    def read(self) -> Snapshot | None:
        """What is kept."""
        return read_snapshot(self._path)

    def _keep(self, now: float, wall: float, lag: float) -> Iterator[None]:
        head, tail = json.encode(Snapshot(round(wall, 3), self._server, [], round(lag, 3))).split(b"[]", 1)
        new = self._path.with_name(self._path.name + ".new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(head + b"[")
            names = self._roster.names()
            comma = b""
            for first in range(0, len(names), AT_ONCE):
                if first:
                    yield
                part = json.encode(self._roster.seen(now, names[first : first + AT_ONCE]))[1:-1]
                if part:
                    file.write(comma + part)
                    comma = b","
            file.write(b"]" + tail)
        os.replace(new, self._path)


def read_snapshot(path: Path) -> Snapshot | None:
    """What the last run knew, hosts by name; None where there is nothing, or nothing that can be read."""
    try:
        snapshot = json.decode(path.read_bytes(), type=Snapshot)
    except (OSError, MsgspecError):
        return None
    return structs.replace(snapshot, hosts=sorted(snapshot.hosts, key=lambda seen: seen.name))
