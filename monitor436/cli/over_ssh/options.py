"""The options of commands that ask hosts over ssh, and the probe that follows from them."""

import os
import shutil
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from monitor436.cli.option_sets import adding
from monitor436.cli.reporting.options import Timeout
from monitor436.model.sweep.inventory import PORT, user_problem
from monitor436.model.sweep.uptime import COMMAND
from monitor436.probes.probe import Probe

AT_ONCE = 100
LIMIT = "15"  # seconds


class SshOptions(NamedTuple):
    """How hosts are asked over ssh; `take` takes them out of the words of a command line."""

    user: str
    port: int
    keys: tuple[str, ...]
    known_hosts: tuple[str, ...]
    accept_new: bool
    ssh: bool
    ssh_options: tuple[str, ...]
    timeout: float


def take(words: dict[str, Any]) -> SshOptions:
    """Those of `with_ssh_options`, which are then gone from `words`."""
    return SshOptions(**{name: words.pop(name) for name in SshOptions._fields})


def make_probe(options: SshOptions, reactor: Any, command: str = COMMAND) -> Probe:
    """What asks hosts so. Raises click.UsageError for keys and files that cannot be used."""
    return _theirs(options, reactor, command) if options.ssh else _ours(options, reactor, command)


def _ours(options: SshOptions, reactor: Any, command: str) -> Probe:
    from monitor436.probes.ssh import known_hosts
    from monitor436.probes.ssh.client import SshProbe
    from monitor436.probes.ssh.keys import KeyRefused, read_key, usual_keys
    from monitor436.probes.ssh.ring import KeyRing

    if options.ssh_options:
        raise click.UsageError("--ssh-option is an option of ssh itself: give --ssh too")
    agent = "" if options.keys else os.environ.get("SSH_AUTH_SOCK", "")
    try:
        keys = [read_key(path) for path in options.keys] if options.keys else usual_keys()
    except KeyRefused as wrong:
        raise click.UsageError(str(wrong)) from None
    if not keys and not agent:
        raise click.UsageError("no key: there is no agent, and no usual key file that is not encrypted; give --key")
    files = options.known_hosts or known_hosts.USUAL
    for path in options.known_hosts if not options.accept_new else ():
        if not os.path.exists(path):
            raise click.UsageError(f"--known-hosts {path}: there is no such file; --accept-new begins one")
    try:
        known = known_hosts.KnownHosts(files, files[0] if options.accept_new else None)
    except (OSError, ValueError) as wrong:
        raise click.UsageError(f"known hosts: {wrong}") from None
    return SshProbe(
        reactor, options.timeout, KeyRing(reactor, keys, agent), known, command, options.user, options.accept_new
    )


def _theirs(options: SshOptions, reactor: Any, command: str) -> Probe:
    from monitor436.probes.ssh.openssh import OpenSshProbe

    program = shutil.which("ssh")
    if program is None:
        raise click.UsageError("--ssh: there is no ssh on this machine")
    given = [word for option in options.ssh_options for word in ("-o", option)]
    given += [word for key in options.keys for word in ("-i", key)]
    if options.known_hosts:
        given += ["-o", "UserKnownHostsFile=" + " ".join(f'"{path}"' for path in options.known_hosts)]
    if options.accept_new:
        given += ["-o", "StrictHostKeyChecking=accept-new"]
    return OpenSshProbe(reactor, options.timeout, command, options.user, given, program=program)


def _user(context: click.Context, param: click.Parameter, value: str) -> str:
    problem = user_problem(value)
    if problem:
        raise click.BadParameter(problem)
    return value


FILE = click.Path(exists=True, dir_okay=False)
SSH_OPTIONS: list[Callable[[Any], Any]] = [
    click.option("-u", "--user", default="", metavar="NAME", callback=_user,
                 help="Who logs in, where the file does not say; by default whoever runs this."),
    click.option("-p", "--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, metavar="N",
                 help="The port of hosts that are listed without one."),
    click.option("-i", "--key", "keys", type=FILE, multiple=True, metavar="FILE",
                 help="A private key; may be repeated. By default the agent's, and the usual files of ~/.ssh."),
    click.option("--known-hosts", multiple=True, metavar="FILE",
                 help="Where the keys of hosts are; may be repeated. By default ~/.ssh/known_hosts and the system's."),
    click.option("--accept-new", is_flag=True,
                 help="Believe hosts that are not known yet, and add them to the first of these files."),
    click.option("--ssh", is_flag=True, help="Run ssh itself: its configuration, jump hosts, hardware keys."),
    click.option("--ssh-option", "ssh_options", multiple=True, metavar="KEY=VALUE",
                 help="With --ssh: an option for its -o; may be repeated."),
    click.option("-t", "--timeout", type=Timeout(), default=LIMIT, show_default=True,
                 help="For a host, from its name to the last byte: 15, 0.5 or 500ms."),
]  # fmt: skip
OPTIONS: list[Callable[[Any], Any]] = [
    click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True)),
    click.option("-f", "--at-once", type=click.IntRange(1, 10_000), default=AT_ONCE, show_default=True, metavar="N",
                 help="How many are asked at a time."),
    click.option("--command", default="", metavar="COMMAND", help="Run this instead, and show what it prints."),
    click.option("--gather", is_flag=True, help="Show each output once, with the hosts that printed it."),
    click.option("--json", "as_json", is_flag=True, help="For scripts: a line of JSON a host, as it comes."),
]  # fmt: skip


with_ssh_options = adding(SSH_OPTIONS)
with_options = adding(OPTIONS)
