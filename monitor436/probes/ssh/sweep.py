"""What the settings of a sweep come to: who is asked, by what, and what an answer is."""

import os
from typing import Any

from monitor436.inventory_file import decoded
from monitor436.model.fleet.inventory import Listed
from monitor436.model.settings.sweeps import Sweep
from monitor436.model.source import Problem, SettingsError
from monitor436.model.sweep.inventory import read_host, read_hosts
from monitor436.model.sweep.remote import Result, answered
from monitor436.probes.names import Names
from monitor436.probes.probe import Answer, Failed, Probe, Target

MOST_INVENTORY = 16 << 20  # bytes of an inventory


def ssh_probe(sweep: Sweep, names: Names, reactor: Any) -> Probe:
    """What asks the hosts of a sweep. Raises SettingsError for keys and known hosts that cannot be used."""
    from monitor436.probes.ssh.client import Limits, SshProbe
    from monitor436.probes.ssh.keys import KeyRefused, read_key
    from monitor436.probes.ssh.known_hosts import KnownHosts  # conch takes 10 MB, of servers that have sweeps
    from monitor436.probes.ssh.ring import KeyRing

    try:
        keys = [read_key(path) for path in sweep.keys]
        known = KnownHosts(sweep.known_hosts, sweep.known_hosts[0] if sweep.accept_new else None)
    except (KeyRefused, OSError, ValueError) as wrong:
        raise SettingsError([Problem("", 0, 0, "", str(wrong))]) from None
    limits = Limits(command=sweep.command_limit)
    ring = KeyRing(reactor, keys, sweep.agent)
    return SshProbe(
        reactor, sweep.timeout, ring, known, user=sweep.user, accept_new=sweep.accept_new, limits=limits, names=names
    )


def judged(answer: Answer | Failed, at: float, command: str = "") -> Result:
    """What came of one host that was asked `at` (wall clock)."""
    took = round(answer.seconds, 3)
    if isinstance(answer, Failed):
        return Result(answer.target.name, at, took, reason=answer.reason, error=answer.text)
    return answered(answer.target.name, at, took, answer.body, command)


def ssh_targets(sweep: Sweep) -> list[Target]:
    """Everybody a sweep asks, each once. Raises SettingsError."""
    listed = [read_host(written) for written in sweep.targets]
    if sweep.inventory:
        listed += read_hosts(_text(sweep.inventory), sweep.inventory).targets
    once: dict[str, Listed] = {each.url: each for each in reversed(listed)}
    return [Target(*each) for each in reversed(once.values())]


def _text(path: str) -> str:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
            return decoded(file.read(MOST_INVENTORY), path)
    except OSError as wrong:
        raise SettingsError([Problem(path, 0, 0, "", f"cannot be read: {wrong.strerror}")]) from None
