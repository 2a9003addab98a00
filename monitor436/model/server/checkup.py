"""Is a server well, and what is in its way? What was found on its machine becomes one sentence each. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from monitor436.model.server.vitals import Vitals
from monitor436.model.words import count, size, span

How = Literal["ok", "note", "bad"]
OK: How = "ok"
NOTE: How = "note"
BAD: How = "bad"

SCARCE = 64 << 20  # bytes: with less than this free, the disk is as good as full
SHOWN = 5  # names, or problems, in a sentence
PORTS = {"agents": "agents.port", "door": "plans.port", "http": "http.listen"}  # the setting of each
# What datagrams are refused for, where that is worth a word; the others are noise that is on every network.
MEANS = {
    "tag": "under the key of another site, or altered",
    "refused": "under a name that belongs to another key, or with a key that was revoked",
    "session": "of sessions before a restart",
    "version": "of another version of the protocol",
    "failed": "a mistake in this program: its log has the traceback",
}


class Finding(Struct, frozen=True):
    """Something that was found: well, worth a note or bad; a word for programs, a sentence for people."""

    how: How
    what: str
    sentence: str


class Held(NamedTuple):
    """A port: free, or held by a process of that name (0: one that cannot be seen). `problem`: it cannot be had."""

    free: bool
    process: int = 0
    name: str = ""
    problem: str = ""


class Kept(NamedTuple):
    """A file or folder: its mode, whose it is, and whether the server's user may write it. `there`: it exists."""

    path: str
    there: bool
    mode: int = 0
    owner: str = ""
    writable: bool = False


class Room(NamedTuple):
    """The file system under `path`: bytes free for the server's user, files free (None: as many as one likes)."""

    path: str
    free: int
    files: int | None = None


class Unit(NamedTuple):
    """What systemd starts: `problems` of its unit in words, and whether it is started at boot."""

    path: str
    problems: list[str]
    enabled: bool


def server(vitals: Vitals | None, age: float, runs: bool) -> Iterator[Finding]:
    """Whether a server runs, and what it says of itself. `age` is that of the vitals, in seconds."""
    if vitals is None:
        yield Finding(NOTE, "server", "no server has run with this state folder yet: monitor436 run")
        return
    if not runs:
        yield Finding(NOTE, "server", f"the server does not run; it was last seen {span(age)} ago: monitor436 run")
        return
    text = f"{vitals.server} runs, process {vitals.process}, up for {span(vitals.up)}"
    yield Finding(OK, "server", f"{text}; lag {vitals.lag:.3f} s, longest sync {vitals.sync:.3f} s")
    for name, text in vitals.troubles.items():
        yield Finding(BAD, name, f"{text} (since then told as server_trouble: monitor436 tail --kind server_trouble)")
    if vitals.unwritten and "disk" not in vitals.troubles:
        yield Finding(BAD, "disk", f"events cannot be made durable: {vitals.unwritten}")
    yield datagrams(vitals.heard, vitals.refused, vitals.dropped, vitals.up)


def datagrams(heard: Mapping[str, int], refused: Mapping[str, int], dropped: int, up: float) -> Finding:
    """What became of datagrams since the start, `up` seconds ago."""
    total, turned = sum(heard.values()), sum(refused.values())
    text = f"{count(total, 'datagram')} heard in {span(up)}, {turned} refused, {dropped} dropped by the kernel"
    most = sorted(refused.items(), key=lambda each: -each[1])[:SHOWN]
    shown = [f"{number} {reason}" + (f" ({MEANS[reason]})" if reason in MEANS else "") for reason, number in most]
    return Finding(
        NOTE if turned or dropped else OK, "datagrams", f"{text}" + (f": {', '.join(shown)}" if shown else "")
    )


def port(what: str, place: str, held: Held, running: int) -> Finding:
    """A port, `place` as in "0.0.0.0:4360/udp". `running` is the process of this server, 0 if none runs."""
    setting = PORTS[what]
    if held.problem:
        beside = "" if what == "http" else ", and the address beside it"
        return Finding(BAD, what, f"{place} cannot be had: {held.problem} ({setting}{beside})")
    if held.free and running:
        return Finding(BAD, what, f"{place} is free, though the server runs: it has other settings, restart it")
    if held.free:
        return Finding(OK, what, f"{place} is free")
    if running and held.process in (0, running):
        return Finding(OK, what, f"{place} is held by this server")
    who = f"{held.name or 'a program'}, process {held.process}" if held.process else "a program that you cannot see"
    return Finding(BAD, what, f"{place} is held by {who}: stop it, or choose another {setting}")


def door(outcome: str, says: str, place: str) -> Finding:
    """What the TLS door of the running server answers to a join token of this site."""
    if outcome in ("taken", "refused"):
        return Finding(OK, "tls", f"the door at {place} shows the certificate of this site")
    why = {
        "foreign": "shows another certificate than site.pem: it was started with other files, restart it",
        "silent": "takes no connection in time: the server is busy or stands still",
        "closed": "is closed",
    }
    return Finding(BAD, "tls", f"the door at {place} {why.get(outcome) or says}")


def beacons(
    here: Iterable[str], failed: Mapping[str, str], heard: Iterable[str] | None, place: str
) -> Iterator[Finding]:
    """Beacons from own addresses, or those to which they are sent: `failed` says why none can be sent by some.

    `heard` are own addresses from which one was heard just now; None if nobody listened. `place` as in "4361/udp".
    """
    here = list(here)
    for address, why in failed.items():
        yield Finding(BAD, "beacon", f"no beacon can leave by {address}: {why}")
    left = [address for address in here if address not in failed]
    silent = [address for address in left if heard is not None and address not in set(heard)]
    if silent:
        text = f"no beacon was seen to leave by {', '.join(silent)} on {place}: a firewall of this machine drops it"
        yield Finding(BAD, "beacon", f"{text}, or the server stands still")
    well = [address for address in left if address not in silent]
    if well:
        verb = "leave" if heard is not None else "can leave"
        yield Finding(OK, "beacon", f"beacons {verb} by {', '.join(well)} on {place}")
    if all(address.startswith("127.") for address in here):
        yield Finding(NOTE, "beacon", "beacons go to this machine alone: no other host hears this server by itself")


def secret(kept: Kept, most: int, user: str) -> Finding:
    """A file or folder of the site: nobody else may have more than the mode `most`, and it belongs to `user`."""
    if kept.mode & ~most & 0o7777:
        return Finding(BAD, "site", f"{kept.path} has mode {kept.mode:04o}: chmod {most:o} {kept.path}")
    if kept.owner != user:
        return Finding(
            BAD, "site", f"{kept.path} belongs to {kept.owner}, the server is {user}: chown {user} {kept.path}"
        )
    return Finding(OK, "site", f"{kept.path} is {user}'s alone ({kept.mode:04o})")


def written(what: str, kept: Kept, folder: Kept, user: str) -> Finding:
    """A file that the server writes, in `folder`, where it also makes new ones."""
    for each in (kept, folder):
        if each.there and not each.writable:
            return Finding(
                BAD, what, f"{each.path} cannot be written by {user}: chown {user} {each.path}, or a mount is read-only"
            )
    if not folder.there:
        return Finding(NOTE, what, f"{folder.path} does not exist yet: the server makes it, if it may")
    return Finding(
        OK, what, f"{kept.path} can be written by {user}" if kept.there else f"{kept.path} can be made by {user}"
    )


def room(space: Room, wants: int) -> Finding:
    """The disk under the events file, which may grow by `wants` bytes more until old files are removed."""
    if space.free < SCARCE or space.files == 0:
        left = f"{size(space.free)} and {'no' if space.files == 0 else 'enough'} files are free"
        return Finding(BAD, "space", f"{space.path}: {left}: make room, or hosts keep their events")
    if space.free < wants:
        text = f"{size(space.free)} are free, and events files may grow by {size(wants)}"
        return Finding(NOTE, "space", f"{space.path}: {text}: lower events.keep or events.rotate_at")
    return Finding(
        OK, "space", f"{space.path}: {size(space.free)} are free, and events files take at most {size(wants)} more"
    )


def receive_buffer(asked: int, granted: int) -> Finding:
    """How much the kernel gives of `agents.receive_buffer`."""
    if granted < asked:
        remedy = f"sysctl -w net.core.rmem_max={asked}, and in /etc/sysctl.d for the next start"
        return Finding(BAD, "receive_buffer", f"the kernel gives {size(granted)} of {size(asked)} for bursts: {remedy}")
    return Finding(OK, "receive_buffer", f"the kernel gives all {size(asked)} for bursts")


def plans(files: int, checks: int, problems: list[str]) -> Finding:
    """The plan files as they are now."""
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        told = "; ".join(problems[:SHOWN])
        return Finding(BAD, "plans", f"{count(len(problems), 'mistake')} in the plans, no host gets them: {told}{more}")
    return Finding(OK, "plans", f"the plans are good: {count(files, 'file')}, {count(checks, 'check')}")


def waiting(names: list[str]) -> Iterator[Finding]:
    """Hosts that wait to be let in."""
    if names:
        shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        verb = "waits" if len(names) == 1 else "wait"
        yield Finding(
            NOTE, "waiting", f"{count(len(names), 'host')} {verb} to be let in ({shown}): monitor436 host approve"
        )


def unit(found: Unit | None, name: str) -> Iterator[Finding]:
    """The unit that starts the server at boot; None if there is none of that name."""
    if found is None:
        text = f"systemd has no {name}: nothing starts the server at boot (etc/systemd, docs/agent.md)"
        yield Finding(NOTE, "unit", text)
        return
    for problem in found.problems:
        yield Finding(BAD, "unit", f"{found.path}: {problem}")
    if not found.enabled:
        yield Finding(NOTE, "unit", f"{found.path} is not started at boot: systemctl enable {name}")
    elif not found.problems:
        yield Finding(OK, "unit", f"{found.path} starts the server at boot")
