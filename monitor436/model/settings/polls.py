"""Settings of status polls."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Struct

from monitor436.agent.plan import spelt
from monitor436.model.fleet.inventory import PATTERN, pattern_problem, read_line
from monitor436.model.settings.said import DAY, why
from monitor436.model.source import Path
from monitor436.model.units import Duration, FilePath

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a header field, RFC 9110 section 5.6.2
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Poll(Struct, frozen=True):
    """Status pages that are asked again and again."""

    inventory: Annotated[
        FilePath, why("A file with a host, host:port or URL a line; it is read again when edited.")
    ] = ""
    targets: Annotated[tuple[str, ...], why("Further hosts or URLs, beside those of the inventory.")] = ()
    plans: Annotated[bool, why("Also the hosts whose plan has a status_url, once they were heard.")] = False
    url: Annotated[str, why("The page of a host; {server} stands for what the inventory says.")] = PATTERN
    every: Annotated[Duration, why("How often all of them are asked.", ge=0.5, le=DAY)] = 30.0
    jitter: Annotated[
        Duration, why("A round begins up to this much later, drawn anew for each.", ge=0.0, le=3600.0)
    ] = 1.0
    timeout: Annotated[
        Duration, why("How long a target may take, from its name to its last byte.", ge=0.1, le=300.0)
    ] = 5.0
    retries: Annotated[int, why("How often one that refuses is asked again within that time.", ge=0, le=10)] = 0
    follow: Annotated[
        int, why("How many redirects are followed within that time; never to this machine from elsewhere.", ge=0, le=20)
    ] = 0
    fail_after: Annotated[
        int, why("In how many of its last rounds a target must fail to be told of ...", ge=1, le=100)
    ] = 2
    of: Annotated[int, why("... out of so many.", ge=1, le=100)] = 3
    body: Annotated[
        Literal["status", "any"], why("status: JSON with Application and Version; any: whatever comes with status 2xx.")
    ] = "status"
    headers: Annotated[dict[str, str], why("Header fields of every request, such as Authorization.")] = {}
    ca: Annotated[FilePath, why("For https: PEM certificates that are trusted instead of the system's.")] = ""
    insecure: Annotated[bool, why("For https: believe whoever answers.")] = False
    canary: Annotated[str, why("A host or URL that always answers: if it does not, a round is not trusted.")] = ""

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if not (self.inventory or self.targets or self.plans):
            yield ("inventory",), "must be given, unless there are targets, or plans that announce them"
        if self.of < self.fail_after:
            yield ("of",), f"must be at least fail_after, which is {self.fail_after}; it is {self.of}"
        if self.timeout > self.every:
            yield ("timeout",), f"must be at most every, which is {spelt(self.every)}; it is {spelt(self.timeout)}"
        if wrong := pattern_problem(self.url):
            yield ("url",), wrong
        for place, written in [
            *((("targets", n), each) for n, each in enumerate(self.targets)),
            (("canary",), self.canary),
        ]:
            if written and (wrong := _line_problem(written, self.url)):
                yield place, wrong
        for name, value in self.headers.items():
            if not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
                yield ("headers", name), "cannot be sent as a header field"


def _line_problem(written: str, pattern: str) -> str:
    try:
        read_line(written, pattern)
    except ValueError as wrong:
        return str(wrong)
    return ""
