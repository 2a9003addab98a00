"""The log of one or several checks: its files are read, its rules look at the lines, and both are kept together."""

from collections.abc import Callable

from monitor436.agent import event as stated
from monitor436.agent.match.block import Block
from monitor436.agent.match.rules import LogRule
from monitor436.agent.schedule import whole
from monitor436.agent.tail.notices import REST
from monitor436.agent.tail.watched import Watched

BUSY = 0.5  # seconds between looks at a log that got lines lately
QUIET = 1.0  # and at one that did not
LATELY = 30.0
LONG = 60.0  # seconds: rules that count over less are looked after each second
LEFT = "the plan has it no more"
KEPT_EVERY = 30.0  # seconds after which positions are kept although there was no event

_KINDS = {
    "gap": stated.LOG_GAP,
    "unreadable": stated.LOG_UNREADABLE,
    "readable": stated.LOG_UNREADABLE,
    "many": stated.LOG_GAP,
}


class Log:
    """What one `log` of a plan stands for, and the rules that look at it.

    `kept` is what an earlier run kept, by key; `refusal(path)` says why this host does not let a file be read;
    `breathe()` is called between pieces of work, so that nobody has to wait for all of it. `tells(folders)` says
    whether the next change in them will be told: then `wake` is called.
    """

    def __init__(
        self,
        log: str,
        kept: "dict[str, object]",
        refusal: "Callable[[str], str]",
        breathe: "Callable[[], None]",
        tells: "Callable[[set[str]], bool]" = lambda folders: False,
    ) -> None:
        self.rules: "list[LogRule]" = []
        self.due = 0.0
        self._log = log
        self._watched = Watched(log, kept, refusal, breathe=breathe)
        self._broken = ""  # why nothing of it can be read, though its files can
        self._breathe = breathe
        self._tells = tells
        self._busy_until = 0.0
        self._rest_from = 0.0  # when it may rest
        self._looked = 0.0
        self._woken = False
        self._keep_at = 0.0  # at once, for files that were never seen

    def look(
        self, now: float, at: float, awake: "Callable[[object], bool]"
    ) -> "tuple[list[dict[str, object]], dict[str, object]]":
        """Read on: the events that follow, and what is to be kept with them (nothing, if it may still wait).

        `awake(check)` tells whether a check is within its active hours.
        """
        rests = self._may_rest(now) and self._tells(self._watched.folders())  # first: what comes from here on is told
        rules = [(rule, awake(rule.check)) for rule in self.rules]
        events = []  # type: list[dict[str, object]]
        try:
            blocks, broken = self._watched.read(), ""
        except Exception as problem:  # one file's fault must not stop the others
            blocks, broken = [], repr(problem)
        if broken != self._broken:
            events.append(_news("unreadable" if broken else "readable", self._log, broken, at))
            self._broken = broken
        for path, data in blocks:
            block = Block(data)
            for rule, is_awake in rules:
                events += rule.lines(path, block, now, at, is_awake)
                self._breathe()
        for rule, is_awake in rules:
            events += rule.turn(now, at, is_awake, self._watched.certain)
        events += [_news(kind, path, sentence, at) for kind, path, sentence in self._watched.news()]
        if blocks:
            self._busy_until = now + LATELY
        elif self._woken:  # for nothing: others write in that folder
            self._rest_from = now + LATELY
        self._looked, self._woken = now, False
        every = BUSY if now < self._busy_until else REST if rests else QUIET
        self.due = now if self._watched.more else whole(now + every, every)
        return events, self._to_keep(bool(events), now)

    @property
    def problems(self) -> "set[str]":
        """The paths that were told to be unreadable and are so."""
        return self._watched.problems | ({self._log} if self._broken else set())

    def left(self, at: float, others: "set[str]") -> "list[dict[str, object]]":
        """The plan has it no more: what was told of it is over, but for the paths that others still cannot read."""
        return [_news("readable", path, LEFT, at) for path in sorted(self.problems - others)]

    def wake(self, now: float) -> None:
        """Something may have come."""
        self._woken = True
        self.due = min(self.due, max(now, self._looked + QUIET))

    def everything(self, now: float) -> "dict[str, object]":
        """What is to be kept, whether it has waited or not."""
        kept = self._watched.positions()
        self._watched.kept()
        kept.update(("rule:" + rule.check.name, rule.kept(now)) for rule in self.rules)
        return kept

    def close(self) -> None:
        """Let go of the files."""
        self._watched.close()

    def _may_rest(self, now: float) -> bool:
        """Whether to look seldom is good enough: nothing came lately, and no rule counts in seconds."""
        periods = (period for rule in self.rules for period in rule.periods())
        return now >= max(self._busy_until, self._rest_from) and min(periods, default=LONG) >= LONG

    def _to_keep(self, at_once: bool, now: float) -> "dict[str, object]":
        """Positions and counts go together, so that after a crash no line is counted twice."""
        if not at_once and (now < self._keep_at or not self._watched.positions()):
            return {}
        self._keep_at = now + KEPT_EVERY
        return self.everything(now)


def _news(kind: str, path: str, sentence: str, at: float) -> "dict[str, object]":
    text = "{}: {}".format(path, sentence) if sentence else "{} can be read again".format(path)
    if sentence.startswith(path):  # it names the file by itself
        text = sentence
    severity = "info" if kind == "readable" else "warning"
    return stated.event(_KINDS[kind], severity, text, at, fields={"path": path})
