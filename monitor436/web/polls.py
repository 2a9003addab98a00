"""Status polls over HTTP: how their targets are, and their last rounds."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from monitor436.model.fleet.polls import Kept, Seen, Summary
from monitor436.web.route import Call, Query, Refusal, Route

MOST = 10_000  # targets in an answer
QUERY = {
    "rounds": Query(int, "the last so many rounds", 100, 0, 100),
    "most": Query(int, "so many of those that are asked", 100, 0, MOST),
}

Known = Callable[[], Mapping[str, Kept]]  # what each poll knows, by its name


class PollRow(Struct):
    """A poll and its last round, None before the first. `untrusted` says why rounds say nothing of the targets."""

    name: str
    targets: int
    failing: int
    untrusted: str
    last: Summary | None


class PollsPage(Struct):
    """All polls, by name."""

    polls: list[PollRow]


class TargetRow(Seen):
    """A target: `last` has a letter a round, the newest last, "." or "x"."""

    name: str = ""


class GroupRow(Struct):
    """Targets of one application and version: how many, and how many of them do not fail."""

    application: str
    version: str
    targets: int
    well: int


class OnePoll(PollRow):
    """A poll with its last rounds, the newest last, its groups, and some of its targets, the failing ones first."""

    rounds: list[Summary]
    groups: list[GroupRow]
    shown: list[TargetRow]


class PollPages:
    """The pages over what polls know."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def routes(self) -> list[Route]:
        """All of them, and one."""
        return [
            Route("GET", "/api/polls", "read", self.every, "The polls and how their targets are.", gives=PollsPage),
            Route(
                "GET", "/api/polls/{poll}", "read", self.one, "A poll, its last rounds and its targets.", gives=OnePoll,
                query=QUERY, refuses={404: "There is no such poll."},
            ),
        ]  # fmt: skip

    async def every(self, call: Call) -> PollsPage:
        """By name."""
        return PollsPage([PollRow(*brief(name, kept)) for name, kept in sorted(self._known().items())])

    async def one(self, call: Call) -> OnePoll:
        """One by its name."""
        name, polls = call.values["poll"], self._known()
        if name not in polls:
            raise missing("poll", name, polls)
        kept = polls[name]
        rounds, targets = asked_for(kept, call)
        shown = [
            TargetRow(seen.last, seen.failing, seen.application, seen.version, seen.reason, seen.since, target)
            for target, seen in targets
        ]
        return OnePoll(*brief(name, kept), rounds, _groups(kept), shown)


def missing(what: str, name: str, known: Iterable[str]) -> Refusal:
    """There is none of that name."""
    there = ", ".join(sorted(known)) or "none"
    return Refusal(404, "Not Found", f"no {what} {name[:100]!r}; there are: {there}")


def asked_for(kept: Kept, call: Call) -> tuple[list[Summary], list[tuple[str, Seen]]]:
    """As many of the last rounds, and of the targets with the failing ones first, as the query says."""
    rounds = kept.rounds[-call.query["rounds"] :] if call.query["rounds"] else []
    targets = sorted(kept.targets.items(), key=lambda each: (not each[1].failing, not each[1].reason, each[0]))
    return rounds, targets[: call.query["most"]]


def brief(name: str, kept: Kept) -> tuple[str, int, int, str, Summary | None]:
    """A poll in a row: its name, how many targets, how many of them fail, why not to trust it, its last round."""
    failing = sum(seen.failing for seen in kept.targets.values())
    return name, len(kept.targets), failing, kept.untrusted, kept.rounds[-1] if kept.rounds else None


def _groups(kept: Kept) -> list[GroupRow]:
    found: dict[tuple[str, str], GroupRow] = {}
    for seen in kept.targets.values():
        key = seen.application, seen.version
        group = found.get(key) or found.setdefault(key, GroupRow(*key, 0, 0))
        group.targets += 1
        group.well += not seen.failing
    return [found[key] for key in sorted(found)]
