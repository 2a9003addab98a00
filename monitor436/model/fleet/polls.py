"""Who fails and who is well again, by what the rounds of a poll found. Pure: told each round, says what follows.

A target fails when enough of its last rounds did. What changes in a round is one event for each application and
version, however many targets of it changed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from monitor436.model.event import POLL_FAILED, POLL_RECOVERED, POLL_UNTRUSTED, Event

ROUNDS = 100  # summaries that are kept
SHOWN = 5  # targets in a text
FEW = 4  # targets: fewer than these cannot tell a broken network from broken targets
LATE = 0.25  # of the time a target has: if this process was late by more, a target that ran out of time may be well
TIMES = ("name", "connect", "tls", "header", "body")  # reasons that may be time-outs
NETWORK = ("unreachable", "name")  # reasons that are this machine's own, when all targets have them
OWN = "unreachable"


class Found(NamedTuple):
    """What one target did in a round: `reason` "" if it is well; `group` what it is, if its body told."""

    name: str
    reason: str = ""
    text: str = ""
    seconds: float = 0.0
    group: tuple[str, str] | None = None


class Seen(Struct):
    """A target as it is kept: `last` has a letter a round, the newest last: "." or "x"."""

    last: str = ""
    failing: bool = False
    application: str = ""
    version: str = ""
    reason: str = ""
    since: float = 0.0  # wall clock: when it was told to fail


class Summary(Struct, frozen=True):
    """A round: when it began (wall clock) and how long it took, in seconds; failures by reason.

    `untrusted` is a sentence if it says more of this machine than of the targets.
    """

    at: float
    seconds: float
    targets: int
    well: int
    failing: int
    reasons: dict[str, int]
    untrusted: str = ""


class Kept(Struct):
    """All that is known of a poll, as its file holds it."""

    targets: dict[str, Seen] = {}
    rounds: list[Summary] = []
    untrusted: str = ""


class Polled:
    """The state of one poll called `name`. A target fails when `bad` of its last `of` rounds failed."""

    word = "poll"  # what events call it
    kinds = POLL_FAILED, POLL_RECOVERED, POLL_UNTRUSTED

    def __init__(self, name: str, bad: int, of: int, kept: Kept | None = None) -> None:
        self.name = name
        self.bad = bad
        self.of = of
        self.kept = kept or Kept()

    def round(self, found: Sequence[Found], at: float, seconds: float, untrusted: str = "") -> list[Event]:
        """A round that began `at` (wall clock) and took `seconds`: the events that follow.

        An `untrusted` one changes no target. Targets that were not asked are forgotten.
        """
        events = self._doubts(untrusted)
        kept = self.kept
        if not untrusted:
            events += self._left({each.name for each in found})
            events += self._judge(found, at)
        failing = sum(seen.failing for seen in kept.targets.values())
        reasons = Counter(each.reason for each in found if each.reason)
        well = len(found) - reasons.total()
        kept.rounds.append(
            Summary(round(at, 3), round(seconds, 3), len(found), well, failing, dict(reasons), untrusted)
        )
        del kept.rounds[:-ROUNDS]
        return events

    def end(self) -> list[Event]:
        """Nobody is asked any more: the events that follow."""
        return [*self._doubts(""), *self._left(set())]

    def _left(self, asked: set[str]) -> list[Event]:
        """Who is asked no more is forgotten, and does not go on failing for ever."""
        gone: dict[tuple[str, str], list[Found]] = {}
        for name in self.kept.targets.keys() - asked:
            seen = self.kept.targets.pop(name)
            if seen.failing:
                gone.setdefault((seen.application, seen.version), []).append(Found(name))
        return [self._over(group, gone[group], "asked no more") for group in sorted(gone)]

    def _judge(self, found: Sequence[Found], at: float) -> list[Event]:
        failed: dict[tuple[str, str], list[Found]] = {}
        recovered: dict[tuple[str, str], list[Found]] = {}
        longest: dict[tuple[str, str], float] = {}
        for each in found:
            seen = self.kept.targets.setdefault(each.name, Seen())
            seen.last = (seen.last + ("x" if each.reason else "."))[-self.of :]
            bad = seen.last.count("x") >= self.bad
            group = seen.application, seen.version  # what it was when it failed is what is well again
            if bad and not seen.failing and each.reason:
                seen.failing, seen.since = True, round(at, 3)
                failed.setdefault(group, []).append(each)
            elif seen.failing and not bad and not each.reason:
                seen.failing = False
                recovered.setdefault(group, []).append(each)
                longest[group] = max(longest.get(group, 0.0), at - seen.since)
            seen.reason = each.reason
            if each.group is not None:
                seen.application, seen.version = each.group
        events = [self._failed(group, failed[group]) for group in sorted(failed)]
        events += [self._recovered(group, recovered[group], longest[group]) for group in sorted(recovered)]
        return events

    def _failed(self, group: tuple[str, str], found: list[Found]) -> Event:
        reasons = Counter(each.reason for each in found)
        failing, of = self._count(group, found)
        why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        if len(found) == 1:
            text = f"{self._title(group)}: {found[0].name} fails: {found[0].text}"
        else:
            text = f"{self._title(group)}: {failing} of {of} fail: {why}: {_names(found)}"
        severity = "critical" if failing == of > 1 else "warning"
        fields = self._fields(group) | {"targets": len(found), "failing": failing, "of": of, "reasons": why}
        return Event(severity=severity, kind=self.kinds[0], text=text, fields=fields)  # type: ignore[arg-type]

    def _recovered(self, group: tuple[str, str], found: list[Found], seconds: float) -> Event:
        return self._over(group, found, "well again", seconds=round(seconds))

    def _over(self, group: tuple[str, str], found: list[Found], what: str, **more: int) -> Event:
        failing, of = self._count(group, found)
        rest = f"; {failing} of {of} still fail" if failing else ""
        who = _names(found) if len(found) == 1 else f"{len(found)} targets: {_names(found)}"
        text = f"{self._title(group)}: {what}: {who}{rest}"
        fields = self._fields(group) | {"targets": len(found), "failing": failing, "of": of} | more
        return Event(kind=self.kinds[1], text=text, fields=fields)  # type: ignore[arg-type]

    def _count(self, group: tuple[str, str], changed: list[Found]) -> tuple[int, int]:
        """How many fail of those that are such, those that just changed included, whatever they are by now."""
        names = {each.name for each in changed}
        alike = [
            seen
            for name, seen in self.kept.targets.items()
            if name in names or (seen.application, seen.version) == group
        ]
        return sum(seen.failing for seen in alike), len(alike)

    def _title(self, group: tuple[str, str]) -> str:
        return " ".join(part for part in (f"{self.word} {self.name}", *group) if part)

    def _fields(self, group: tuple[str, str]) -> dict[str, str | int]:
        told = {self.word: self.name, "application": group[0], "version": group[1]}
        return {key: value for key, value in told.items() if value}

    def _doubts(self, untrusted: str) -> list[Event]:
        """Told when rounds cannot be trusted, and when they can be again."""
        was, self.kept.untrusted = self.kept.untrusted, untrusted
        if bool(was) == bool(untrusted):
            return []
        state = "untrusted" if untrusted else "trusted"
        text = f"{self.word} {self.name}: " + (untrusted or "rounds can be trusted again")
        fields = {self.word: self.name, "state": state}
        severity = "warning" if untrusted else "info"
        return [Event(severity=severity, kind=self.kinds[2], text=text, fields=fields)]  # type: ignore[arg-type]


def suspicion(found: Sequence[Found], late: float, timeout: float, canary: str = "") -> str:
    """Why a round says more of this machine than of the targets, "" if it does not.

    `late`: by how many seconds this process was late at worst while it ran; `timeout`: what a target had; `canary`:
    why the target that must always answer did not.
    """
    if canary:
        return f"the canary does not answer: {canary}"
    reasons = Counter(each.reason for each in found if each.reason)
    if late > timeout * LATE and any(reasons[reason] for reason in TIMES):
        return f"this server stood still for {late:.1f} s while targets had {timeout:g} s"
    if any(each.reason == OWN and each.text.startswith("this machine") for each in found):
        return next(each.text for each in found if each.reason == OWN and each.text.startswith("this machine"))
    if len(found) >= FEW and sum(reasons[reason] for reason in NETWORK) == len(found):
        return f"none of {len(found)} targets can be reached, so it is this machine's network or name server"
    if reasons["name"] >= FEW and reasons["name"] * 3 > len(found):
        return f"{reasons['name']} names are not known at once, so it is the name server of this machine"
    return ""


def _names(found: Iterable[Found]) -> str:
    names = [each.name for each in found]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
