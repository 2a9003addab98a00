"""`monitor436 token`: who may use the HTTP door."""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import json

from monitor436.agent.plan import seconds
from monitor436.cli.settings_option import settings_option
from monitor436.model.keys.tokens import Token, hashed, host_problem, name_problem, spelt_token
from monitor436.model.settings.whole import Settings
from monitor436.state_folder import TOKENS
from monitor436.token_file import TokenFile

NEVER = "never"


@click.group()
def token() -> None:
    """Make, list and revoke tokens of the HTTP door.

    A server that runs takes a new one at once, and refuses a revoked one within a second. What is kept is a hash: a
    token is shown once, when it is made.
    """


@token.command()
@settings_option
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["read", "metrics", "admin"]),
    multiple=True,
    required=True,
    help="read: ask; metrics: post numbers; admin: both and more. May be given more than once.",
)
@click.option("--expires", default="90d", show_default=True, metavar="TIME|never", help="When it ends: 12h, 90d.")
@click.option("--host", default="", metavar="HOST", help="Post for this host only.")
def new(settings: Settings, name: str, scopes: tuple[str, ...], expires: str, host: str) -> None:
    """Make a token and print it, alone on a line.

    \b
    monitor436 token new prometheus --scope read --expires 365d > token
    curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:4380/api/hosts
    """
    for wrong in (name_problem(name), host_problem(host)):
        if wrong:
            raise click.UsageError(wrong)
    now = time.time()
    file = _file(settings)
    held = file.read().named(name)
    if held is not None and held.good(now):
        raise click.ClickException(f"there is a token {name} already: monitor436 token revoke {name}")
    made = spelt_token(os.urandom(32))
    wanted = tuple(dict.fromkeys(scopes))
    _keep(file, Token(name, hashed(made), wanted, now, _expiry(expires, now), host))  # type: ignore[arg-type]
    click.echo(made)


@token.command("list")
@settings_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_tokens(settings: Settings, as_json: bool) -> None:
    """List the tokens that are not revoked: name, scopes, when it ends, its host.

    \b
    monitor436 token list
    """
    tokens, now = _file(settings).read().all(), time.time()
    if as_json:
        click.echo(json.encode([{**_plain(each), "expired": not each.good(now)} for each in tokens]))
        return
    for each in tokens:
        ends = ("expired " if not each.good(now) else "until ") + _day(each.expires) if each.expires else NEVER
        click.echo(f"{each.name}  {','.join(each.scopes)}  {ends}  {each.host}".rstrip())
    if not tokens:
        click.echo("there is no token: see monitor436 token new --help", err=True)


@token.command()
@settings_option
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
def revoke(settings: Settings, names: tuple[str, ...]) -> None:
    """End tokens at once. A short-lived one that a host got for its certificate ends by itself (http.token_life).

    \b
    monitor436 token revoke laptop
    """
    file = _file(settings)
    known = file.read()
    for name in names:
        if known.named(name) is None:
            raise click.ClickException(f"there is no token {name}: see monitor436 token list")
    for name in names:
        _keep(file, Token(name, revoked=True, made=time.time()))
        click.echo(f"{name} is revoked")


def _plain(token: Token) -> dict[str, object]:
    return {
        "name": token.name,
        "scopes": token.scopes,
        "made": token.made,
        "expires": token.expires,
        "host": token.host,
    }


def _file(settings: Settings) -> TokenFile:
    folder = Path(settings.state)
    if not folder.is_dir():
        click.echo(f"{folder} does not exist: start the server first", err=True)
        sys.exit(1)
    return TokenFile(folder / TOKENS)


def _keep(file: TokenFile, token: Token) -> None:
    """As the owner of the folder, so that a server that is not root can read what root made."""
    try:
        file.keep(token)
        owner = file.path.parent.stat()
        if os.geteuid() == 0:
            os.chown(file.path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    except OSError as problem:
        raise click.ClickException(f"{file.path}: {problem.strerror}") from None


def _expiry(written: str, now: float) -> float:
    if written == NEVER:
        return 0.0
    try:
        return now + seconds(written)
    except ValueError as wrong:
        raise click.UsageError(f"--expires: {wrong}") from None


def _day(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%MZ")
