"""What every other part stands on: who this server is, its events file, and the bus that tells of it."""

import os
import socket
import time
from pathlib import Path
from typing import Any

from monitor436.bus import EventBus
from monitor436.journal import Journal
from monitor436.model.server.lag import Stopwatch
from monitor436.model.settings.whole import Settings
from monitor436.model.stream.ledger import Ledger
from monitor436.one_thread import one_thread
from monitor436.periodic import Periodic
from monitor436.services.event_log import REOPEN, EventLog
from monitor436.services.health import timed

ROTATION = 1.0  # seconds between looks whether the events file is to be rotated


def server_name(settings: Settings) -> str:
    """What this server calls itself in beacons and events."""
    return settings.name or socket.gethostname().split(".")[0].lower()


class Core:
    """The one road of events: `state` takes those of the server itself, `bus` tells of every durable one."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self.settings = settings
        self.reactor = reactor
        self.folder = Path(settings.state)
        self.name, self.boot = server_name(settings), os.urandom(8).hex()
        self.bus = EventBus()
        self.ledger = Ledger()
        self.syncs = Stopwatch()
        kept = settings.events
        self.journal = Journal(Path(kept.file), kept.rotate_at, kept.rotate_every, kept.keep)
        in_thread = timed(one_thread(reactor, "events"), self.syncs, time.monotonic)
        self.event_log = EventLog(self.journal, self.ledger, self.bus, (self.name, self.boot), in_thread, time.time)
        self.state = self.event_log.state
        self.rotation = Periodic("rotation", ROTATION, self.event_log.rotate_if_due, reactor)
        self.recovery = Periodic("recovery", REOPEN, self.event_log.recover, reactor)

    def degraded(self) -> str:
        """Why nothing can be made durable at present; empty when all is well."""
        return self.event_log.degraded

    def event_files(self) -> list[Path]:
        """The files of events that there are, the oldest first."""
        return [*self.journal.rotated(), self.journal.path]
