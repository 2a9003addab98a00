"""`monitor436 agent`: the agent as one file."""

import hashlib
import os
import sys
import time
from pathlib import Path

import click

from monitor436.agent.wire import HOST_NAME
from monitor436.cli.settings_option import settings_option
from monitor436.model.keys.enrolment import Enrolment
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.names import Names
from monitor436.packer import pack as pack_file
from monitor436.planfolder import read_planbook
from monitor436.services.agent_file import packed
from monitor436.site import Site, SiteError, write_private
from monitor436.state_folder import AGENT_FILE


@click.group()
def agent() -> None:
    """The agent that runs on hosts."""


@agent.command()
@settings_option
@click.option("--host", default="", metavar="NAME", help="For this host alone, with its key inside: nothing to join.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Where to write it; - for standard output."
)
def pack(settings: Settings, host: str, output: str | None) -> None:
    """Pack the agent into one file that a host can start.

    The same source and settings give the same bytes. The file holds a join token (or, with --host, a key): treat it as
    a secret.

    \b
    monitor436 agent pack -o agent436.pyz
    monitor436 agent pack --host web1 -o - | ssh web1 'cat > agent436.pyz; chmod 700 agent436.pyz'
    """
    if host and not HOST_NAME.match(host):
        raise click.UsageError(f"--host: not a host's name: {host!r} (a-z, 0-9, dot, dash, underscore; at most 63)")
    try:
        if output not in (None, "-"):
            Path(output).parent.stat()  # before a key is made for a file that cannot be written
        site = Site(Path(settings.state) / "site")
        token = site.token(time.time(), settings.plans.token_expires)
        ports = settings.agents.port, settings.beacon.port
        generation = read_planbook(settings.plans.folder).generation(host) if host else 0
        content = pack_file(packed(site, ports, settings.beacon.multicast, token, host, generation))
        bound = Enrolment(Names(Path(settings.state) / "names.jsonl").read()).of(host) if host else None
        if bound is not None and bound.state != "forgotten" and bound.serial != site.packed_serial(host).hex():
            told = f"{host} has joined with another key, so this file will be refused: monitor436 host forget {host}"
            click.echo(told, err=True)
        if output == "-":
            sys.stdout.buffer.write(content)
            return
        path = Path(output or os.path.join(settings.state, f"agent436-{host}.pyz" if host else AGENT_FILE))
        write_private(path, content, 0o700)
    except OSError as problem:
        raise click.ClickException(f"{output or problem.filename}: {problem.strerror}") from None
    except (SiteError, SettingsError) as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"{path}  {len(content)} bytes  sha256 {hashlib.sha256(content).hexdigest()}")
