"""One plan file as its author wrote it: which hosts, which groups, what it includes, and its checks."""

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from monitor436.agent import plan
from monitor436.agent.wire import HOST_NAME
from monitor436.model.fleet.inventory import Listed, read_line
from monitor436.model.source import Mark, Path, Problem, Source

MAX_HOSTS = 10_000  # names and patterns in one list of hosts
MAX_INCLUDES = 100
TOP = ["hosts", "groups", "beat", "late", "generation", "status_url"]  # keys of files that say for which hosts they are

Hosts = tuple[str, ...]  # names, shell patterns, and groups as "@shop"
AgentCheck = plan.LogCheck | plan.ProcessCheck | plan.CommandCheck | plan.ReadingCheck

_PATTERN = re.compile(r"[a-z0-9._*?\[\]!-]{1,100}")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_WILD = re.compile(r"[*?\[]")


class Check(NamedTuple):
    """A check as the agent has it, and where it was written."""

    check: AgentCheck
    mark: Mark


class PlanFile(NamedTuple):
    """What one file says. `rhythm` is (beat, late) in seconds, or None where the file says neither."""

    source: Source
    hosts: Hosts
    groups: dict[str, Hosts]
    include: tuple[str, ...]
    rhythm: tuple[float, float] | None
    generation: int
    status_url: str
    checks: dict[str, Check]


def read(source: Source, top: bool, beat: float) -> tuple[PlanFile, list[Problem]]:
    """The plan file in `source`, and all that is wrong with it (what is wrong is left out of the file).

    `top`: it lies directly in the folder of plans, so it says for which hosts it is; the others are only included.
    `beat`: the seconds between heartbeats where the file says only when a host is late.
    """
    reading = _Reading(source, top)
    checks = reading.checks()
    hosts = reading.part("hosts", _hosts, ("*",))
    groups = reading.part("groups", _groups, {})
    include = reading.part("include", _include, ())
    rhythm = reading.rhythm(beat)
    generation = reading.part("generation", plan.whole(0, 255), 0)
    status_url = reading.part("status_url", _status_url, "")
    return PlanFile(source, hosts, groups, include, rhythm, generation, status_url, checks), reading.problems


def literal(pattern: str) -> bool:
    """Whether this is a host's name rather than a pattern."""
    return not _WILD.search(pattern)


class _Reading:
    """The parts of one file, read one by one so that a bad one does not hide the others."""

    def __init__(self, source: Source, top: bool) -> None:
        self.problems = list(source.problems)
        self._source = source
        keys = ["include", "defaults", "checks"] + (TOP if top else [])
        for key in source.tree:
            if key in TOP and not top:
                self._say((key,), "has no place here: files in sub-folders are only included by others")
            elif key not in keys:
                self._say((key,), f"{plan.UNKNOWN_KEY}; {plan.meant(key, keys)}")
        self._tree = {key: value for key, value in source.tree.items() if key in keys and value is not None}

    def part(self, key: str, reader: Callable[[object], Any], default: Any) -> Any:
        """What `reader` makes of a key, or the default."""
        if key not in self._tree:
            return default
        try:
            return reader(self._tree[key])
        except plan.PlanError as wrong:
            for path, sentence in wrong.problems:
                self._say((key, *path), sentence)
            return default

    def rhythm(self, beat: float) -> tuple[float, float] | None:
        """(beat, late), if the file says either."""
        said: dict[str, object] = {key: self._tree[key] for key in ("beat", "late") if key in self._tree}
        read = self._plan({"beat": beat, **said}, ()) if said else None
        return (read.beat, read.late) if read else None

    def checks(self) -> dict[str, Check]:
        """The checks by name, in their order."""
        written = self._tree.get("checks", {})
        if not isinstance(written, dict):
            self._say(("checks",), f"expected a mapping of names to checks, got {plan.shown(written)}")
            return {}
        if len(written) > plan.MAX_CHECKS:
            self._say(("checks",), f"has {len(written)} checks, more than {plan.MAX_CHECKS}")
            return {}
        given = self._defaults()
        found = {}
        for name, check in written.items():
            path = ("checks", name)
            if isinstance(check, dict) and "name" in check:
                self._say((*path, "name"), f"{plan.UNKNOWN_KEY}; the name of a check is what stands before its colon")
                continue
            named = {"name": name, **_taken(given, check), **check} if isinstance(check, dict) else check
            read = self._plan({"checks": [named]}, path)
            if read:
                found[name] = Check(read.checks[0], self._source.mark(path))
        return found

    def _defaults(self) -> dict[str, object]:
        """What the file says for all its checks, as it is written; what is wrong in it is left out."""
        written = self._tree.get("defaults")
        read = self.part("defaults", plan.defaults, None)
        if not read or not isinstance(written, dict):
            return {}
        return {key: value for key, value in written.items() if key in read}

    def _plan(self, tree: dict[str, object], path: Path) -> plan.Plan | None:
        """What the agent makes of `tree`; its problems, said where the author wrote it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "possible nested set" in a pattern: they go to the terminal
                return plan.read(tree)
        except plan.PlanError as wrong:
            for inner, sentence in wrong.problems:
                if path:  # a check: the agent's path to it is checks.0, and its name is the author's key
                    inner = (*path, *(() if inner[2:] == ("name",) else inner[2:]))
                self._say(inner, sentence)
            return None

    def _say(self, path: Path, sentence: str) -> None:
        self.problems.append(self._source.problem(path, sentence))


def _taken(given: dict[str, object], check: dict[str, object]) -> dict[str, object]:
    """Those of the file's defaults that this kind of check takes."""
    taken = {field for kind in plan.KINDS if kind in check for field in plan.KINDS[kind].fields}
    return {key: value for key, value in given.items() if key in taken}


def _host(value: object) -> str:
    pattern = plan.text(100)(value)
    if pattern.startswith("@") and _GROUP.fullmatch(pattern[1:]):
        return pattern
    if not _PATTERN.fullmatch(pattern) or (literal(pattern) and not HOST_NAME.match(pattern)):
        raise plan.wrong(f'expected a host such as "web1", "web*" or "@group", in lower case, got {plan.shown(value)}')
    return pattern


_hosts = plan.items(_host, 1, MAX_HOSTS, bare=True)
_include = plan.items(plan.text(200), 0, MAX_INCLUDES, bare=True)


def status_target(url: str, host: str, address: str) -> Listed:
    """Where a host tells its status, by what its plan says. Raises ValueError with a sentence."""
    literal = f"[{address}]" if ":" in address else address
    listed = read_line(url.replace("{host}", host).replace("{address}", literal))
    return listed._replace(name=host)


def _status_url(value: object) -> str:
    url = plan.text(500)(value)
    if not url.startswith(("http://", "https://")):
        raise plan.wrong(f"expected a URL such as http://{{address}}:8080/status, got {plan.shown(value)}")
    try:
        status_target(url, "web1", "192.0.2.1")
    except ValueError as wrong:
        raise plan.wrong(str(wrong)) from None
    return url


def _groups(value: object) -> dict[str, Hosts]:
    names = list(value) if isinstance(value, dict) else []
    bad = [name for name in names if not _GROUP.fullmatch(name)]
    if bad:
        raise plan.PlanError([((name,), "expected a name of letters, digits and . _ - for a group") for name in bad])
    return plan.mapping(dict.fromkeys(names, (_hosts, plan.REQUIRED)))(value)  # type: ignore[return-value]
