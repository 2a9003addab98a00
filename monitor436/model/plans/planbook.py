"""What the plan files of a folder say together: the plan of each host, its digest, and where each check was written."""

import fnmatch
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from monitor436.agent import plan
from monitor436.model.plans import planfile
from monitor436.model.plans.planfile import Check, Hosts
from monitor436.model.source import Path, Problem, SettingsError, Source

MAX_DEPTH = 16  # files that include one another, in a row


class Served(NamedTuple):
    """What every host gets that matches the same files."""

    dumped: bytes
    digest: str
    late: float
    generation: int
    status_url: str
    origin: dict[str, tuple[str, int]]


class Planbook:
    """Every plan of a folder, checked whole.

    `sources` are the parsed files by their name in the folder. Those directly in it say for which hosts they are; those
    in sub-folders ("common/disk.yaml") are there to be included, and what a file includes comes before its own checks.
    Files apply in the order of their names, and a check replaces an earlier one of the same name. `beat` and `late`
    (seconds) are for hosts whose files say neither.

    Raises SettingsError with the problems of all files.
    """

    def __init__(self, sources: Mapping[str, Source], beat: float = 5.0, late: float = 15.0) -> None:
        self._rhythm = (beat, late)
        self._problems: list[Problem] = []
        self._files = {}
        for name, source in sorted(sources.items()):
            self._files[name], problems = planfile.read(source, "/" not in name, beat)
            self._problems += problems
        self._groups = self._all_groups()
        self._hosts = {name: self._members(name) for name in self._files if "/" not in name}
        self._checks: dict[str, dict[str, Check]] = {}
        for name in self._files:
            self._gather(name, ())
        if not self._problems:
            self._count()
        if self._problems:
            raise SettingsError(self._problems)
        self._served: dict[tuple[str, ...], Served] = {}
        self._known: dict[str, Served] = {}
        self._in_groups: dict[str, tuple[str, ...]] = {}

    def mark(self) -> str:
        """What all these plans together are known by, 16 hex characters: the same on every server that has the same."""
        trees = {name: file.source.tree for name, file in self._files.items()}
        return plan.digest(json.dumps([trees, self._rhythm], sort_keys=True).encode())[:16]

    def plan(self, host: str) -> bytes:
        """The plan of a host as canonical JSON; for a host that no file matches, a plan without checks."""
        return self._serve(host).dumped

    def digest(self, host: str) -> str:
        """What `plan(host)` is known by: 64 hex characters. Remembered for every host that was asked about."""
        return self._serve(host).digest

    def late(self, host: str) -> float:
        """After how many seconds of silence a host is late."""
        return self._serve(host).late

    def generation(self, host: str) -> int:
        """The generation that the key of a host must have at least: the highest that its files say."""
        return self._serve(host).generation

    def status_url(self, host: str) -> str:
        """Where the server asks a host for its status, as the last of its files that says so has it; "" for nowhere."""
        return self._serve(host).status_url

    def origin(self, host: str) -> dict[str, tuple[str, int]]:
        """The file and line where each check of a host was written, by the check's name."""
        return dict(self._serve(host).origin)

    def hosts(self) -> tuple[str, ...]:
        """The hosts that plan files name in full, sorted: they are expected to be heard."""
        return tuple(sorted({name for members in self._hosts.values() for name in members.names}))

    def groups(self, host: str) -> tuple[str, ...]:
        """The groups that a host is in, by name."""
        if host not in self._in_groups:
            found = {name for name, members in self._members_of_groups.items() if members.hold(host)}
            waiting = list(found)
            while waiting:
                within = self._within.get(waiting.pop(), set()) - found
                found |= within
                waiting += within
            self._in_groups[host] = tuple(sorted(found))
        return self._in_groups[host]

    @cached_property
    def _members_of_groups(self) -> dict[str, "Members"]:
        """Those that groups name themselves; groups in groups are in `_within`."""
        return {name: Members({host for host in hosts if host[:1] != "@"}) for name, (_, hosts) in self._groups.items()}

    @cached_property
    def _within(self) -> dict[str, set[str]]:
        """The groups that a group stands in."""
        found: dict[str, set[str]] = {}
        for name, (_, hosts) in self._groups.items():
            for host in hosts:
                if host.startswith("@"):
                    found.setdefault(host[1:], set()).add(name)
        return found

    def size(self) -> tuple[int, int]:
        """How many files and how many checks are written in this book."""
        return len(self._files), sum(len(file.checks) for file in self._files.values())

    def _serve(self, host: str) -> Served:
        if host not in self._known:
            files = self._matching(host)
            if files not in self._served:
                self._served[files] = self._together(files)
            self._known[host] = self._served[files]
        return self._known[host]

    def _matching(self, host: str) -> tuple[str, ...]:
        return tuple(name for name, members in self._hosts.items() if members.hold(host))

    def _together(self, files: tuple[str, ...]) -> Served:
        rhythm = self._rhythm
        checks: dict[str, Check] = {}
        for name in files:
            rhythm = self._files[name].rhythm or rhythm
            checks.update(self._checks[name])
        dumped = plan.dump(plan.Plan(*rhythm, tuple(found.check for found in checks.values())))
        origin = {name: (found.mark.file, found.mark.line) for name, found in checks.items()}
        generation = max((self._files[name].generation for name in files), default=0)
        status_url = next((url for name in reversed(files) if (url := self._files[name].status_url)), "")
        return Served(dumped, plan.digest(dumped), rhythm[1], generation, status_url, origin)

    def _all_groups(self) -> dict[str, tuple[str, Hosts]]:
        """Every group by name, with the file that says it. Groups are known in all files."""
        groups: dict[str, tuple[str, Hosts]] = {}
        for file, read in self._files.items():
            for name, hosts in read.groups.items():
                if name in groups:
                    first = self._files[groups[name][0]].source.mark(("groups", name))
                    self._say(file, ("groups", name), f"is a group already, see {first.file}:{first.line}")
                else:
                    groups[name] = (file, hosts)
        for name, (file, hosts) in groups.items():
            for number, host in enumerate(hosts):
                self._known_group(file, ("groups", name, number), host, groups)
        return groups

    def _members(self, file: str) -> "Members":
        """The hosts a file is for, groups resolved."""
        for number, host in enumerate(self._files[file].hosts):
            self._known_group(file, ("hosts", number), host, self._groups)
        return Members(set(self._resolved(self._files[file].hosts)))

    def _resolved(self, hosts: Hosts) -> Iterator[str]:
        """Names and patterns; a group that holds itself adds nothing to itself."""
        waiting, seen = list(hosts), set()
        while waiting:
            host = waiting.pop()
            if not host.startswith("@"):
                yield host
            elif host[1:] in self._groups and host not in seen:
                seen.add(host)
                waiting += self._groups[host[1:]][1]

    def _gather(self, name: str, above: tuple[str, ...]) -> dict[str, Check]:
        """The checks of a file, which is included by those `above`: those that it includes, then its own."""
        if name not in self._checks:
            checks: dict[str, Check] = {}
            trail = (*above, name)
            for number, include in enumerate(self._files[name].include):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(name), include))
                slip = self._include_slip(target, trail)
                if slip:
                    self._say(name, ("include", number), slip)
                else:
                    checks.update(self._gather(target, trail))
            self._checks[name] = {**checks, **self._files[name].checks}
        return self._checks[name]

    def _include_slip(self, target: str, trail: tuple[str, ...]) -> str:
        """Why the last file of `trail` cannot include `target`; "" if it can."""
        if target.startswith(("/", "..")):
            return f"{plan.shown(target)} is outside the folder of plans"
        if target in trail:
            return "a circle: " + " includes ".join((*trail[trail.index(target) :], target))
        if target not in self._files:
            known = [name for name in self._files if name != trail[-1]]
            hint = f"; {plan.meant(target, known)}" if known else ""
            return f"no file {plan.shown(target)} in the folder of plans{hint}"
        return f"includes are nested deeper than {MAX_DEPTH}" if len(trail) > MAX_DEPTH else ""

    def _count(self) -> None:
        """No host that is named in full gets more checks than an agent takes."""
        for files in {self._matching(host) for host in self.hosts()} | {(name,) for name in self._hosts}:
            count = len({check for name in files for check in self._checks[name]})
            if count > plan.MAX_CHECKS:
                self._say(files[-1], (), f"with this file a host has {count} checks, more than {plan.MAX_CHECKS}")

    def _known_group(self, file: str, path: Path, host: str, groups: dict[str, tuple[str, Hosts]]) -> None:
        if host.startswith("@") and host[1:] not in groups:
            hint = plan.meant(host[1:], list(groups)) if groups else "there are no groups"
            self._say(file, path, f"unknown group {plan.shown(host)}; {hint}")

    def _say(self, file: str, path: Path, sentence: str) -> None:
        self._problems.append(self._files[file].source.problem(path, sentence))


class Members:
    """The hosts that a list of names and patterns means."""

    def __init__(self, patterns: set[str]) -> None:
        self.names = {pattern for pattern in patterns if planfile.literal(pattern)}
        wild = sorted(patterns - self.names)
        self._wild = re.compile("|".join(fnmatch.translate(pattern) for pattern in wild)) if wild else None

    def hold(self, host: str) -> bool:
        """Whether `host` is meant."""
        return host in self.names or bool(self._wild and self._wild.match(host))
