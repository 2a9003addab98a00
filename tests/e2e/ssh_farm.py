"""A process that is many hosts which answer ssh: a listener for each behaviour, on every loopback address.

`python -m tests.e2e.ssh_farm FOLDER` writes a key of ours, who is known and a farm.json with the ports into FOLDER, and
serves until its standard input ends.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.conch.ssh.transport import SSHServerTransport
from twisted.internet import reactor, stdio
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from monitor436.demo.ssh_hosts import Answers, SshHost, known_line, new_key, proc_uptime
from monitor436.model.sweep.remote import Said

USER = "sweeper"
SECONDS = 5_677_620.0  # 65 days, 17:07
BANNER = b"SSH-2.0-Rude\r\n"


class Rude(Protocol):
    """Writes `greeting` again and again, `times` or without end, and listens to nothing."""

    greeting, times = b"", 1

    def connectionMade(self) -> None:
        if self.times:
            self.transport.write(self.greeting * self.times)  # type: ignore[union-attr]
        else:
            self.transport.registerProducer(self, False)  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """The next piece, when the one before was taken."""
        self.transport.write(self.greeting)  # type: ignore[union-attr]

    def stopProducing(self) -> None:
        """Nobody takes it any more."""


def rude(greeting: bytes, times: int = 1) -> Any:
    """A host that is such a server."""
    factory = Factory.forProtocol(type("OneRude", (Rude,), {"greeting": greeting, "times": times}))
    factory.noisy = False
    return factory


class Deaf(SSHServerTransport):
    """Agrees on keys, and does not say whether it lets anybody in."""

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        if messageNum != 50:
            super().dispatchMessage(messageNum, payload)


def says(status: int, output: bytes, errors: bytes = b"") -> Answers:
    """A host that says that, whatever it is asked."""
    return lambda command: Said(status, output, errors)


def farm(ours: Any, theirs: Any) -> dict[str, Any]:
    """The hosts, by the class of the failure that each is, with a word more where there are several."""

    def host(answers: Answers, key: Any = theirs, user: str = USER, keys: Any = None) -> SshHost:
        return SshHost(key, user, keys or [ours], answers, reactor)

    well = proc_uptime(lambda: SECONDS, "6f0e1d30-9d1c-4c39-8d5d-0f2d8ad2c3aa")
    deaf = host(well)
    deaf.protocol = Deaf
    return {
        "well": host(well),
        "well old": host(says(0, b" 17:07:01 up 65 days, 17:07,  1 user,  load average: 0.00, 0.01, 0.05\n")),
        "banner silent": rude(b""),
        "banner endless": rude(b"x" * 1000 + b"\r\n", 0),
        "key_exchange silent": rude(BANNER),
        "key_exchange endless": rude(BANNER + b"\xff" * 4096),
        "authentication silent": deaf,
        "authentication user": host(well, user="another"),
        "authentication key": host(well, keys=[new_key()]),
        "host_key": host(well, key=new_key()),
        "command hangs": host(lambda command: None),
        "command fails": host(says(3, b"", b"no such thing\n")),
        "output": host(says(0, b"\x1b[2Jnothing to see\n")),
        "too_long": host(says(0, b"x" * 1_000_000)),
    }


def main(folder: Path) -> None:
    """Listen, tell where, serve."""
    ours, theirs = new_key(), new_key()
    ports = {}
    for kind, factory in farm(ours, theirs).items():
        ports[kind] = reactor.listenTCP(0, factory, backlog=2048).getHost().port  # type: ignore[attr-defined]
    key = folder / "id_ed25519"
    key.touch(0o600)
    key.write_bytes(ours.toString("openssh"))
    (folder / "id_ed25519.pub").write_bytes(ours.public().toString("openssh") + b"\n")
    (folder / "known_hosts").write_text("".join(known_line(f"[127.*]:{port}", theirs) for port in ports.values()))
    (folder / "farm.new").write_text(json.dumps(ports))
    os.replace(folder / "farm.new", folder / "farm.json")

    class UntilEnd(Protocol):
        def connectionLost(self, reason: Failure = connectionDone) -> None:
            reactor.stop()  # type: ignore[attr-defined]

    stdio.StandardIO(UntilEnd())
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
