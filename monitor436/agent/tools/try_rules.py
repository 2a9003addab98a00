"""`agent436.pyz match`: which lines of a file the rules of a plan would match, found as the agent finds them."""

import fnmatch
import json
import os
import sys
from collections.abc import Iterator

from monitor436.agent import plan
from monitor436.agent.kinds import LogCheck
from monitor436.agent.match.block import Block
from monitor436.agent.match.matcher import Matcher
from monitor436.agent.options import InTheWay, UsageError, Words, state_here
from monitor436.agent.shape import printable
from monitor436.agent.tail.logfile import MAX_LINE
from monitor436.agent.tools.given_plan import BadPlan, given_plan

USAGE = """\
usage: agent436.pyz match [options] LOG

Shows a log to rules, and how many of its lines each of them matches: to those of the plan that are about this log (to
all, if none is), or to regular expressions of the command line. Nothing is sent, and no position is moved.

  -e, --regex REGEX   a regular expression to try; may be given several times
  --plan FILE         rules of this plan, as `monitor436 config plan HOST` prints it (default: the plan in force)
  --check NAME        only of this check; may be given several times
  --lines             show the lines; counts go to standard error then
  --json              one JSON object, with --lines the lines as well
  --state DIR         the state folder of the agent (default: that of an agent on this host)

TRIED lines were shown to a regular expression: others cannot match, as a text that must be in them is not. OVERRUNS
are lines that took too long and were passed over; the third one puts a rule out of action.

Exit status 0: a line was matched. 1: none was, or something is in the way. 2: a wrong command line, or a bad plan.

examples:
  agent436.pyz match /var/log/syslog
  agent436.pyz match -e 'error|fail(ed|ure)' --lines /var/log/syslog
"""
OPTIONS = ["regex=", "plan=", "check=", "lines", "json", "state=", "help"]
BLOCK = 256 * 1024  # bytes, as the agent reads


class Tried:
    """A rule, and what came of it."""

    def __init__(self, check: LogCheck) -> None:
        self.name = check.name
        self.matcher = Matcher(check.match, check.exclude)
        self.count = 0
        self.overruns = 0

    def look(self, block: Block) -> "list[str]":
        """The lines of a block that match, as text."""
        found = self.matcher.search(block)
        self.count += len(found)
        self.overruns += len(self.matcher.overran)
        return [printable(each.line.decode("utf-8", "backslashreplace")) for each in found]


def main(words: "list[str]") -> int:
    """Show the log to the rules, and tell."""
    given = Words(words, OPTIONS[:-1], {"e:": "regex"})
    logs = given.nothing_else(1)
    if not logs:
        raise UsageError("which log?")
    try:
        checks = _of_regexes(given.all("regex")) if given.has("regex") else _of_plan(given, logs[0])
    except BadPlan as wrong:
        sys.stderr.write("".join("{}\n".format(each) for each in wrong.problems))
        return 2
    rules = [Tried(check) for check in checks]
    as_json, with_lines = given.has("json"), given.has("lines")
    lines, size, shown = 0, 0, []  # type: int, int, list[dict[str, str]]
    for raw in blocks(logs[0]):
        block = Block(raw)
        lines, size = lines + raw.count(b"\n"), size + len(raw)
        for rule in rules:
            for line in rule.look(block):
                if as_json and with_lines:
                    shown.append({"check": rule.name, "line": line})
                elif with_lines:
                    print(line if len(rules) == 1 else "{}: {}".format(rule.name, line))
    if as_json:
        told = {"lines": lines, "bytes": size, "rules": [_told(rule) for rule in rules]}  # type: dict[str, object]
        print(json.dumps(dict(told, matched=shown) if with_lines else told, ensure_ascii=False))
    else:
        out = sys.stderr if with_lines else sys.stdout
        out.write("".join("{}\n".format(line) for line in table(rules, size)))
        out.write("{} lines, {:.1f} MB\n".format(lines, size / 1e6))
    return 0 if any(rule.count for rule in rules) else 1


def blocks(path: str) -> "Iterator[bytes]":
    """A file in pieces of whole lines, each ended by a newline; - for standard input. Raises OSError."""
    with open(path, "rb", 0) if path != "-" else os.fdopen(0, "rb", 0) as file:
        rest = b""
        while True:
            more = file.read(BLOCK)
            if not more:
                break
            end = more.rfind(b"\n") + 1
            if end:
                yield rest + more[:end]
                rest = more[end:]
            elif len(rest) <= MAX_LINE:  # of what is longer nothing is looked at
                rest += more
        if rest:
            yield rest + b"\n"


def table(rules: "list[Tried]", size: int) -> "list[str]":
    """What came of the rules, as columns."""
    rows = [("RULE", "MATCHES", "TRIED", "MS", "MB/S", "OVERRUNS")]
    for rule in rules:
        seconds = rule.matcher.seconds
        speed = "{:.0f}".format(size / 1e6 / seconds) if seconds > 0.001 else "-"
        overruns = "{}{}".format(rule.overruns, ", off" if rule.matcher.off else "")
        rows.append(
            (rule.name, str(rule.count), str(rule.matcher.lines), "{:.1f}".format(1000 * seconds), speed, overruns)
        )
    columns = range(1, len(rows[0]))
    widths = [max(len(row[at]) for row in rows) for at in (0, *columns)]
    return ["  ".join([row[0].ljust(widths[0])] + [row[at].rjust(widths[at]) for at in columns]) for row in rows]


def _told(rule: Tried) -> "dict[str, object]":
    told = {"check": rule.name, "matches": rule.count, "tried": rule.matcher.lines}  # type: dict[str, object]
    return dict(told, ms=round(1000 * rule.matcher.seconds, 3), overruns=rule.overruns, off=rule.matcher.off)


def _of_regexes(regexes: "list[str]") -> "list[LogCheck]":
    """A rule each. Raises UsageError."""
    checks = []
    for number, regex in enumerate(regexes, 1):
        try:
            tree = {"name": "-e {}".format(number), "log": "/-", "match": [regex]}
            [check] = plan.read({"checks": [tree]}).checks
        except plan.PlanError as wrong:
            raise UsageError("-e: {}".format(wrong.problems[0][1])) from None
        checks.append(check._replace(name=printable(regex)))
    return checks


def _of_plan(given: Words, log: str) -> "list[LogCheck]":
    """The rules of a plan that are meant. Raises BadPlan, InTheWay."""
    name, found = given_plan(given.text("plan", ""), given.text("state", state_here()))
    rules = [check for check in found.checks if isinstance(check, LogCheck)]
    if given.has("check"):
        named = [check for check in rules if check.name in given.all("check")]
        missing = set(given.all("check")) - {check.name for check in named}
        if missing:
            raise InTheWay("{} has no log check called {}".format(name, ", ".join(sorted(missing))))
        return named
    path = os.path.abspath(log)
    about = [check for check in rules if check.log == path or fnmatch.fnmatch(path, check.log)]
    if not rules:
        raise InTheWay("{} has no log checks".format(name))
    return about or rules
