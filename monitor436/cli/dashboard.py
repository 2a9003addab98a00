"""`monitor436 dashboard`: a link that signs in to the dashboard, once."""

import ipaddress
import secrets
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import click

from monitor436.cli.settings_option import settings_option
from monitor436.links import LIFE, LinkError, Links
from monitor436.model.settings.http import Http, place
from monitor436.model.settings.whole import Settings
from monitor436.model.words import span
from monitor436.state_folder import LINKS

BYTES = 32  # of a link's secret


@click.command()
@settings_option
@click.option("--admin", is_flag=True, help="Also for silences and acknowledgements.")
@click.option("--name", default="", metavar="NAME", help="Who signs in, as events name him; your login name.")
@click.option("--url", default="", metavar="URL", help="Where browsers reach the server, if that is behind a proxy.")
def dashboard(settings: Settings, admin: bool, name: str, url: str) -> None:
    """Print a link that signs a browser in, once and within ten minutes. The secret in it stands behind the #, which
    browsers send to nobody: the page itself exchanges it for a cookie.

    \b
    monitor436 dashboard
    monitor436 dashboard --admin --url https://monitor.example/
    """
    http = settings.http
    if not http.listen:
        raise click.ClickException("there is no dashboard: http.listen is empty")
    root = url.rstrip("/") or address(http)
    if urlsplit(root).scheme not in ("http", "https") or not urlsplit(root).netloc or "#" in root:
        raise click.UsageError(f"not a URL: {root!r}")
    state = Path(settings.state)
    if not state.is_dir():
        raise click.ClickException(f"{state} does not exist: has the server been started?")
    secret = secrets.token_urlsafe(BYTES)
    try:
        Links(state / LINKS).make(secret, name or _login(), ("admin",) if admin else ("read",), time.time())
    except LinkError as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"{root}/#/link/{secret}")
    click.echo(f"good once, for {span(LIFE)}; {'may silence and acknowledge' if admin else 'may look'}", err=True)


def address(http: Http) -> str:
    """Where the dashboard is, as far as the settings tell."""
    host, port = place(http.listen)
    parsed = ipaddress.ip_address(host)
    if http.names:
        host = http.names[0]
    elif parsed.is_unspecified:
        host = socket.gethostname()
    elif parsed.version == 6:
        host = f"[{host}]"
    return f"{'https' if http.certificate else 'http'}://{host}:{port}{http.base}"


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):
        return "somebody"
