"""The status board as its file holds it."""

from msgspec import Struct

from monitor436.model.status.board import Board
from monitor436.model.status.doubts import Doubt, Doubts
from monitor436.model.status.silences import Silence
from monitor436.model.status.standing import HostNow, Part, Standings


class KeptHost(Struct, omit_defaults=True):
    """A host: its checks by name, those that are well as a list of names."""

    name: str
    state: str = ""
    since: float = 0.0
    text: str = ""
    cut: bool = False
    well: list[str] = []
    bad: dict[str, dict[str, Part]] = {}
    reason: str = ""


class KeptTurns(Struct):
    """When a subject turned bad or well: the ages of the last times, in seconds."""

    subject: str
    flaps: bool
    ages: tuple[float, ...]


class KeptBoard(Struct):
    """Everything. `at` is the id of the last event that went into it, `wall` when that was kept (epoch seconds)."""

    hosts: list[KeptHost] = []
    silences: list[Silence] = []
    turns: list[KeptTurns] = []
    acted: str = ""
    at: str = ""
    seen: float = 0.0  # the time of that event
    wall: float = 0.0
    server: str = ""
    doubts: dict[str, Doubt] = {}  # by host


def kept_host(host: HostNow) -> KeptHost:
    """A host, to be kept."""
    well = [check for check, parts in host.checks.items() if not parts]
    bad = {check: parts for check, parts in host.checks.items() if parts}
    return KeptHost(host.name, host.state, host.since, host.text, host.cut, well, bad, host.reason)


def restored(standings: Standings, kept: KeptHost) -> None:
    """A host as it was kept."""
    host = standings.host(kept.name)
    host.state, host.since, host.text, host.cut = kept.state, kept.since, kept.text, kept.cut
    host.reason = kept.reason
    for check in kept.well:
        host.checks[standings.spelt(check)] = None
    for check, parts in kept.bad.items():
        host.checks[standings.spelt(check)] = parts
        for of in parts:
            host.take(check, of)


def kept(board: Board, now: float) -> KeptBoard:
    """A board, to be kept."""
    hosts = [kept_host(host) for host in board.standings.hosts.values()]
    turns = [KeptTurns(key, *board.turns.kept(key, now)) for key in board.turns.names()]
    silences, doubts = list(board.silences.known.values()), dict(board.doubts.known)
    return KeptBoard(hosts, silences, turns, board.acted, doubts=doubts)


def restore(board: Board, kept: KeptBoard, now: float) -> None:
    """What a run before this one knew, as it was at `now`."""
    board.standings = Standings()
    for host in kept.hosts:
        restored(board.standings, host)
    board.cut = {host.name for host in kept.hosts if host.cut}
    board.silences.known = {silence.id: silence for silence in kept.silences}
    board.turns.restore(((each.subject, each.flaps, each.ages) for each in kept.turns), now)
    board.acted, board.doubts = kept.acted, Doubts(kept.doubts)
