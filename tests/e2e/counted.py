"""A server that tells its counters: python counted.py SETTINGS FILE.

At each USR1, and at its end, it replaces FILE with one JSON object: what was refused, what was heard, whether events
are on their way to the disk, and a picture of everything that an accepted datagram would change.
"""

import signal
import sys
from pathlib import Path
from typing import Any

from msgspec import json

from monitor436.model.hosts.host import LATE, UP
from monitor436.tap import open_monitor


def told(protocol: Any, turn: int) -> bytes:
    """The counters and the state of the doorway. Ages are left out, and who is late is up: that changes by itself."""
    seen = protocol._roster.seen(0.0)
    state = {
        "hosts": [
            (host.name, UP if host.state == LATE else host.state, host.boot, host.plan, host.address) for host in seen
        ],
        "sessions": sorted(protocol._sessions._by_id),
        "in use": {name: session.wire.id for name, session in protocol._sessions._in_use.items()},
        "addresses": {name: session.address for name, session in protocol._sessions._in_use.items()},
        "events": protocol._ledger.durable,
    }
    counters = {"turn": turn, "refused": protocol.refused, "heard": protocol.heard, "state": state}
    return json.encode({**counters, "writing": protocol._event_log._busy is not None})


def main(config: str, file: Path) -> None:
    """Run the server that the settings describe."""
    from twisted.internet import reactor
    from twisted.python.log import startLogging

    startLogging(sys.stderr, setStdout=False)
    turn = 0

    def tell() -> None:
        nonlocal turn
        turn += 1
        new = file.with_suffix(".new")
        new.write_bytes(told(protocol, turn))
        new.replace(file)

    def asked(*_: object) -> None:
        reactor.callFromThread(tell)  # type: ignore[attr-defined]

    signal.signal(signal.SIGUSR1, asked)  # before it says that it runs: until then a signal would end it
    monitor = open_monitor(config)
    protocol = monitor.getServiceNamed("agents").protocol
    monitor.startService()
    reactor.addSystemEventTrigger("before", "shutdown", monitor.stopService)
    reactor.addSystemEventTrigger("after", "shutdown", tell)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
