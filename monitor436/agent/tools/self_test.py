"""`agent436.pyz --self-test`: whether this Python on this host does what the agent needs."""

import os
import re
import select
import sys
import time
from collections.abc import Callable

from monitor436.agent import commands, wire
from monitor436.agent.link import sockets
from monitor436.agent.match.budget import Budget, Overrun
from monitor436.agent.options import InTheWay
from monitor436.agent.probe.procfs import ReadingError
from monitor436.agent.probe.readings import READINGS
from monitor436.agent.store.spool import Spool

USAGE = "usage: agent436.pyz --self-test\n"
PATIENCE = 10.0  # seconds for anything here, also on a host that is busy
EXPLODES = re.compile(rb"(a+)+$"), b"a" * 40 + b"b"  # a pattern and a line that would take it for ever
VECTOR = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"  # RFC 4231, test case 2


def main(words: "list[str]") -> int:
    """Try everything, a line each; 1 if something does not work."""
    print("python {} on {}".format(sys.version.split()[0], " ".join(os.uname()[0:3:2])))
    good = [_tried(what, attempt) for what, attempt in ATTEMPTS.items()]
    good += [_tried("reading " + name, reading, name) for name in sorted(READINGS)]
    print("everything works" if all(good) else "{} of {} do not work".format(good.count(False), len(good)))
    return 0 if all(good) else 1


def _tried(what: str, attempt: "Callable[..., str]", *given: str) -> bool:
    begun = time.monotonic()
    try:
        said = attempt(*given)
    except Exception as problem:  # whatever it is, it is what the admin wants to know
        print("BAD   {}: {}".format(what, problem or type(problem).__name__))
        return False
    print("{:4}  {}: {}, {:.0f} ms".format("ok", what, said, 1000 * (time.monotonic() - begun)))
    return True


def hmac() -> str:
    """The tag of datagrams is what the standard says."""
    if wire.Key(b"Jefe").digest(b"what do ya want for nothing?").hex() != VECTOR:
        raise InTheWay("HMAC-SHA-256 is wrong on this Python")
    return "HMAC-SHA-256 as in RFC 4231"


def sealing() -> str:
    """A datagram that was sealed opens, once, and not if a bit of it was changed."""
    session = wire.Session(1, 0, wire.Key(b"k"), wire.Key(b"k"))
    datagram = session.seal(wire.BEAT, b"{}")
    if session.open(datagram, wire.header(datagram)[3]) != b"{}":
        raise InTheWay("a datagram does not come out as it went in")
    other = session.seal(wire.BEAT, b"{}")
    try:
        session.open(other[:-1] + bytes([other[-1] ^ 1]), wire.header(other)[3])
    except wire.WireError:
        return "sealed and opened, a forged one refused"
    raise InTheWay("a forged datagram was taken")


def spool() -> str:
    """What was written is there after a crash."""
    folder = _temporary()
    event = {"at": 0.0, "severity": "info", "kind": "log_line", "text": "ü"}  # type: dict[str, object]
    try:
        Spool(folder, "0" * 16).append([event], {"/a": {"offset": 1}})
        again = Spool(folder, "1" * 16)
        found, kept = again.take(10), again.kept.get("/a")
        again.close()
    finally:
        _remove(folder)
    if len(found) != 1 or kept != {"offset": 1}:
        raise InTheWay("what was written to {} did not come back".format(folder))
    return "written, synced and recovered in {}".format(os.path.dirname(folder))


def child() -> str:
    """A program is started, and ended when its time is over."""
    deadline = time.monotonic() + PATIENCE
    started = commands.Child(["sh", "-c", "echo here; sleep 60"], deadline)
    try:
        select.select([started.fd], [], [], PATIENCE)
        started.read()
        finished = started.poll(deadline)  # it has said what it has to say: now its time is over
        while finished is None:
            select.select([started.fd], [], [], 0.02)
            started.read()
            finished = started.poll(time.monotonic())
    finally:
        started.kill()
    if (finished.output, finished.problem) != (b"here\n", "timed out"):
        raise InTheWay("a program said {!r}, {}".format(finished.output, finished.problem or "and ended"))
    return "a program was started, and ended at its deadline"


def interrupt() -> str:
    """A pattern that would never end is interrupted."""
    pattern, line = EXPLODES
    try:
        with Budget(0.05):
            pattern.search(line)
    except Overrun:
        return "a pattern that explodes was interrupted"
    raise InTheWay("a pattern that explodes was not interrupted")


def loopback() -> str:
    """Datagrams can be sent and heard."""
    hears, talks = sockets.hearing(0, ""), sockets.talking()
    try:
        talks.sendto(b"m4", ("127.0.0.1", hears.getsockname()[1]))
        select.select([hears], [], [], PATIENCE)
        arrived = sockets.arrived(hears)
    finally:
        hears.close()
        talks.close()
    if [datagram for datagram, _ in arrived] != [b"m4"]:
        raise InTheWay("a datagram to 127.0.0.1 did not arrive")
    return "a datagram went over loopback"


def door() -> str:
    """TLS can be had, as joining and fetching plans need it."""
    import ssl  # heavy; this process ends soon

    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.OPENSSL_VERSION


def clock() -> str:
    """The monotonic clock goes on."""
    begun = time.monotonic()
    time.sleep(0.02)
    if not 0.01 < time.monotonic() - begun < PATIENCE:
        raise InTheWay("20 ms of sleep took {:.3f} s".format(time.monotonic() - begun))
    return "goes on"


def reading(name: str) -> str:
    """A reading can be taken; one that this host does not have says why."""
    known = READINGS[name]
    try:
        of = {"": "", "path": "/bin/sh" if name.startswith("file_") else "/", "interface": "lo"}.get(known.of)
        found = known.take(_disk() if of is None else of, "/")
    except ReadingError as problem:
        return "not on this host: {}".format(problem)
    return "can be counted" if known.rate else "{:g}".format(found)


ATTEMPTS = {
    "clock": clock,
    "tags": hmac,
    "datagrams": sealing,
    "sockets": loopback,
    "tls": door,
    "spool": spool,
    "programs": child,
    "patterns": interrupt,
}  # type: dict[str, Callable[[], str]]


def _disk() -> str:
    """The first disk that the kernel counts for. Raises ReadingError."""
    try:
        with open("/proc/diskstats") as file:
            return file.readline().split()[2]
    except (OSError, IndexError):
        raise ReadingError("there is no disk to be seen") from None


def _temporary() -> str:
    folder = os.path.join(os.environ.get("TMPDIR", "/tmp"), "agent436-{}".format(os.urandom(6).hex()))
    os.mkdir(folder, 0o700)
    return folder


def _remove(folder: str) -> None:
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
