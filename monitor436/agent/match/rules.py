"""What a log check makes of the lines of its files: which match, in which form they are news, and in which words."""

import re
from collections.abc import Callable

from monitor436.agent import event as stated
from monitor436.agent import wire
from monitor436.agent.kinds import PLACEHOLDER, LogCheck
from monitor436.agent.match import forms
from monitor436.agent.match.block import Block
from monitor436.agent.match.matcher import Found, Matcher

PATTERN = re.compile(r"[*?\[]")  # in a `log` that stands for several files


class LogRule:
    """One log check. Lines go in as blocks, and events come out; `at` is the wall clock for events.

    `kept` is what an earlier run of the agent gave, if it was the same check; `boot` is the boot of the machine, with
    which the monotonic clock begins anew. `breathe()` is called while patterns take their time.
    """

    def __init__(
        self,
        check: LogCheck,
        now: float,
        boot: str,
        kept: object = None,
        awake: bool = True,
        breathe: "Callable[[], None]" = lambda: None,
    ) -> None:
        self.check = check
        self._matcher = Matcher(check.match, check.exclude, breathe=breathe)
        self._off = False
        self._several = bool(PATTERN.search(check.log))
        self._form = _form(check, now, awake)
        self._boot = boot
        self._known_by = str(wire.SHA256(repr(check).encode("utf-8")).hexdigest())[:16]
        self._last = ("", None)  # type: tuple[str, Found | None]
        self._resume(kept, now)

    def lines(self, path: str, block: Block, now: float, at: float, awake: bool) -> "list[dict[str, object]]":
        """The events of the lines of one file. While it sleeps they are passed over."""
        if self._off or not awake:
            return []
        try:
            found = self._matcher.search(block)
        except Exception as broken:  # one rule's fault must not stop the others
            return [self._give_up(repr(broken), at)]
        events = [self._overran(line, at) for line in self._matcher.overran]
        if self._matcher.off and not self._off:
            events.append(self._give_up("its patterns take too long", at))
        if not found:
            return events
        self._last = (path, found[-1])
        if self._form is None:
            return events + [self._line(path, each, at) for each in found]
        return events + self._told(self._form.found(len(found), now, awake), at)

    def turn(self, now: float, at: float, awake: bool, certain: bool) -> "list[dict[str, object]]":
        """What the time that passed comes to. `certain`: everything that was written has been read."""
        return [] if self._form is None else self._told(self._form.turn(now, awake, certain), at)

    def periods(self) -> "list[float]":
        """The seconds over which it counts, or waits for a line; none if each line is news."""
        over = self.check.over.seconds if self.check.over else 0.0
        return [seconds for seconds in (self.check.count, self.check.absent, over) if seconds]

    def kept(self, now: float) -> "dict[str, object] | None":
        """What is to outlive the agent, with the positions of the files; None if that is nothing."""
        if self._form is None:
            return None
        return {"check": self._known_by, "boot": self._boot, "now": now, "form": self._form.kept()}

    def _resume(self, kept: object, now: float) -> None:
        if self._form is None or not isinstance(kept, dict) or kept.get("check") != self._known_by:
            return
        same = kept.get("boot") == self._boot and kept["now"] <= now
        try:
            self._form.resume(kept["form"], 0.0 if same else now - kept["now"])
        except (KeyError, TypeError, ValueError):  # written by another version: as if nothing had been kept
            self._form = _form(self.check, now, True)

    def _line(self, path: str, found: Found, at: float) -> "dict[str, object]":
        fields = dict(_groups(found))  # type: dict[str, object]
        if self._several:
            fields["path"] = path
        text = self._text(path, found, 1) if self.check.text else _decoded(found.line)
        return self._event(stated.LOG_LINE, self.check.severity, text, at, fields)

    def _told(self, told: "list[forms.News]", at: float) -> "list[dict[str, object]]":
        events = []
        for news in told:
            if self.check.text and not news.severity:
                text = self._text(*self._last, count=news.count)
            else:
                text = "{}: {}".format(self.check.name, news.text)
            events.append(self._event(news.kind, news.severity or self.check.severity, text, at, news.fields))
        return events

    def _text(self, path: str, found: "Found | None", count: int) -> str:
        """The text of an event; a group that took no part is empty."""
        known = {"path": path, "count": str(count), "line": _decoded(found.line) if found else ""}
        known.update(_groups(found) if found else {})

        def spelt(place: "re.Match[str]") -> str:
            return {"{{": "{", "}}": "}"}.get(place.group()) or known.get(place.group(1) or "", "")

        return PLACEHOLDER.sub(spelt, self.check.text)

    def _overran(self, line: bytes, at: float) -> "dict[str, object]":
        text = "{}: the patterns took too long; passed over: {}".format(self.check.name, _decoded(line))
        return self._event(stated.CHECK_FAILED, "warning", text, at, {})

    def _give_up(self, why: str, at: float) -> "dict[str, object]":
        self._off = True
        text = "{}: off until it changes: {}".format(self.check.name, why)
        return self._event(stated.CHECK_FAILED, "warning", text, at, {})

    def _event(
        self, kind: str, severity: str, text: str, at: float, fields: "dict[str, object]"
    ) -> "dict[str, object]":
        return stated.event(kind, severity, text, at, self.check.name, fields, self.check.tags)  # type: ignore[arg-type]


def _form(check: LogCheck, now: float, awake: bool) -> "forms.Count | forms.Over | forms.Silence | None":
    """How matching lines are news; None where each one is."""
    if check.count:
        return forms.Count(check.count, now)
    if check.over:
        return forms.Over(check.over.number, check.over.seconds)
    return forms.Silence(check.absent, now, awake) if check.absent else None


def _groups(found: Found) -> "dict[str, str]":
    """The named groups of a match, as far as they took part."""
    return {name: _decoded(value) for name, value in found.match.groupdict().items() if value is not None}


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
