"""Settings of sweeps over ssh."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from monitor436.agent.plan import spelt
from monitor436.model.settings.said import DAY, why
from monitor436.model.source import Path
from monitor436.model.sweep.inventory import read_host, user_problem
from monitor436.model.units import Duration, FilePath


class Sweep(Struct, frozen=True):
    """Hosts that are asked over ssh, again and again, how long they have been up."""

    inventory: Annotated[FilePath, why("A file with [user@]host[:port] a line; it is read again when edited.")] = ""
    targets: Annotated[tuple[str, ...], why("Further hosts, beside those of the inventory.")] = ()
    user: Annotated[str, why('Who logs in, where a line does not say; "": the user that the server runs as.')] = ""
    keys: Annotated[tuple[FilePath, ...], why("Private keys, not encrypted, that only the server may read.")] = ()
    agent: Annotated[FilePath, why("The socket of an ssh agent that has further keys.")] = ""
    known_hosts: Annotated[tuple[FilePath, ...], why("Files with the keys of hosts, as OpenSSH writes them.")] = ()
    accept_new: Annotated[
        bool, why("Believe hosts that are not known yet, and add them to the first of known_hosts.")
    ] = False
    every: Annotated[Duration, why("How often all of them are asked.", ge=1.0, le=DAY)] = 300.0
    jitter: Annotated[
        Duration, why("A round begins up to this much later, drawn anew for each.", ge=0.0, le=3600.0)
    ] = 5.0
    timeout: Annotated[Duration, why("How long a host may take, from its name to its last byte.", ge=0.5, le=300.0)] = (
        15.0
    )
    command_limit: Annotated[Duration, why("How long the command may take there, of that time.", ge=0.1, le=300.0)] = (
        10.0
    )
    at_once: Annotated[int, why("How many are asked at a time.", ge=1, le=10_000)] = 100
    fail_after: Annotated[
        int, why("In how many of its last rounds a host must fail to be told of ...", ge=1, le=100)
    ] = 2
    of: Annotated[int, why("... out of so many.", ge=1, le=100)] = 3

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What no single setting can tell."""
        if not (self.inventory or self.targets):
            yield ("inventory",), "must be given, unless there are targets"
        if not (self.keys or self.agent):
            yield ("keys",), "must be given, unless there is an agent"
        if not self.known_hosts:
            yield ("known_hosts",), "must be given: without it no host is believed"
        if self.of < self.fail_after:
            yield ("of",), f"must be at least fail_after, which is {self.fail_after}; it is {self.of}"
        if self.timeout > self.every:
            yield ("timeout",), f"must be at most every, which is {spelt(self.every)}; it is {spelt(self.timeout)}"
        if wrong := user_problem(self.user):
            yield ("user",), wrong
        for place, written in enumerate(self.targets):
            try:
                read_host(written)
            except ValueError as wrong_line:
                yield ("targets", place), str(wrong_line)
