"""`monitor436 doctor`: is this server well, and if not, what is to be done."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import json

from monitor436.agent.identity import Packed
from monitor436.agent.link import sockets
from monitor436.agent.tools import probing
from monitor436.agent.wire import beacon_key
from monitor436.cli import surroundings
from monitor436.cli.lines import plain, say
from monitor436.cli.settings_option import settings_option
from monitor436.journal import Journal
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.server import checkup
from monitor436.model.server.checkup import BAD, NOTE, Finding
from monitor436.model.server.vitals import Vitals
from monitor436.model.settings.http import place as http_place
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.model.words import count
from monitor436.names import Names
from monitor436.planfolder import read_planbook
from monitor436.services.beacon import networks
from monitor436.services.health import EVERY
from monitor436.site import BEFORE, CERTIFICATE, KEY, Site, SiteError
from monitor436.state_folder import VITALS, read_kept

OLD = 3 * EVERY  # seconds after which vitals are those of a server that does not run
LATE = probing.DOOR  # seconds that a beacon may be late, as an answer at the door: a busy machine is no firewall
UNIT = "monitor436-server.service"
COLOURS = {"ok": "green", "note": "yellow", "bad": "red"}


@click.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def doctor(settings: Settings, as_json: bool) -> None:
    """Tell whether the server on this machine is well, or could be started: its ports, its beacons, its files, the
    disk, the receive buffer, the plans, its unit; and what to do about what is not. It changes nothing.

    Call it as the user that the server runs as, or as root. If a host does not appear: agent436.pyz doctor, there.

    Exit status 0 if nothing is bad, 1 if something is.

    \b
    sudo -u monitor436 monitor436 doctor
    """
    found = []
    for each in examine(settings):
        found.append(each)
        if not as_json:
            shown = each.how.upper() if each.how == BAD else each.how
            say(click.style(f"{shown:4}", fg=COLOURS[each.how]) + f"  {plain(each.sentence)}")
    bad = sum(each.how == BAD for each in found)
    if as_json:
        click.echo(json.encode({"well": not bad, "findings": found}))
    else:
        say("all is well" if not bad else count(bad, "thing is", "things are") + " bad")
    sys.exit(1 if bad else 0)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that can be found out about the server of these settings."""
    state = Path(settings.state)
    vitals, age = read_kept(state / VITALS, Vitals), _age(state / VITALS)
    running = vitals.process if vitals and age <= OLD and surroundings.alive(vitals.process) else 0
    user = surroundings.user_of(running)
    yield from checkup.server(vitals, age, bool(running))
    yield from _ports(settings, running)
    site = _site(state / "site")
    if running and isinstance(site, Site):
        yield _door(settings, site)
    yield from _beacons(settings, site if running and isinstance(site, Site) else None)
    yield from _secrets(state / "site", site, surroundings.user_name(user))
    yield from _files(settings, user)
    asked = settings.agents.receive_buffer
    yield checkup.receive_buffer(asked, surroundings.granted(asked, surroundings.may_exceed(running)))
    yield _plans(settings)
    yield from checkup.waiting([bound.name for bound in Enrolment(_names(state)).waiting()])
    yield from checkup.unit(surroundings.unit(UNIT, [state, Path(settings.events.file).parent]), UNIT)


def _age(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0


def _ports(settings: Settings, running: int) -> Iterator[Finding]:
    for what, kind, doorway in (("agents", "udp", settings.agents), ("door", "tcp", settings.plans)):
        if doorway.port:  # 0 is any free one
            place = f"{doorway.address}:{doorway.port}/{kind}"
            yield checkup.port(what, place, surroundings.held(doorway.address, doorway.port, kind), running)
    address, port = http_place(settings.http.listen) if settings.http.listen else ("", 0)
    if port:
        yield checkup.port("http", f"{settings.http.listen}/tcp", surroundings.held(address, port, "tcp"), running)


def _site(folder: Path) -> Site | SiteError | None:
    """The site, or why it cannot be read; None if there is none yet, as none is made here."""
    try:
        if not all((folder / name).exists() for name in (KEY, CERTIFICATE)):
            return None
        return Site(folder) if folder.stat().st_mode & 0o077 == 0 else SiteError("")  # else it would be mended
    except OSError as problem:
        return SiteError(f"{folder}: {problem.strerror}")
    except SiteError as problem:
        return problem


def _door(settings: Settings, site: Site) -> Finding:
    address, port = _near(settings.plans.address), settings.plans.port
    token = site.token(time.time(), settings.plans.token_expires)
    packed = Packed(site.pin, b"", 0, port, "", token, "", b"", b"", 0)
    knock = probing.knock(packed, None, (address, port))
    return checkup.door(knock.outcome, knock.says, f"{address}:{port}/tcp")


def _beacons(settings: Settings, site: Site | None) -> Iterator[Finding]:
    """Sent where the settings say, or by every interface; heard here, if `site` is that of a server that runs."""
    sent, place = settings.beacon, f"{settings.beacon.port}/udp"
    if sent.to:
        failed = {to: why for to in sent.to if (why := surroundings.empty_datagram(to, sent.port))}
        yield from checkup.beacons(sent.to, failed, None, place)
        return
    here = networks()
    failed = {own: why for own, to in here if (why := surroundings.empty_datagram(to, sent.port, own))}
    heard = None
    if site is not None:
        try:
            heard = _heard(settings, site, here)
        except OSError as problem:
            text = f"beacons cannot be listened to on {place} ({problem.strerror}): another program has the port"
            yield Finding(BAD, "beacon", f"{text}, and no agent on this machine hears any")
    yield from checkup.beacons([own for own, _ in here], failed, heard, place)


def _heard(settings: Settings, site: Site, here: list[tuple[str, str]]) -> list[str]:
    """Own addresses on whose networks a beacon of this site was heard just now. Raises OSError."""
    sent = settings.beacon
    hears = sockets.hearing(sent.port, sent.multicast)
    found = probing.listen(hears, sent.port, beacon_key(site.key), sent.every + LATE)
    hears.close()
    senders = {each.address for each in found if each.site == "ours"}
    reached = {to for own, to in here if own in senders}  # two addresses in one network: broadcasts come from the first
    return [own for own, to in here if own in senders or to in reached]


def _secrets(folder: Path, site: Site | SiteError | None, user: str) -> Iterator[Finding]:
    if site is None:
        yield Finding(NOTE, "site", f"{folder} holds no site yet: the server makes one, or copy that of another server")
        return
    if not os.access(folder, os.X_OK):
        yield Finding(BAD, "site", f"{folder} cannot be looked into: call this as {user}, or as root")
        return
    found = [checkup.secret(surroundings.kept(folder, 0), 0o700, user)]
    for name in (KEY, BEFORE, CERTIFICATE):
        if (folder / name).exists():
            found.append(checkup.secret(surroundings.kept(folder / name, 0), 0o600, user))
    bad = [each for each in found if each.how == BAD]
    yield from bad or [Finding("ok", "site", f"{folder} and the secrets in it are {user}'s alone")]
    if isinstance(site, SiteError) and not bad:
        yield Finding(BAD, "site", str(site))


def _files(settings: Settings, user: int) -> Iterator[Finding]:
    kept, state = settings.events, Path(settings.state)
    path, who = Path(kept.file), surroundings.user_name(user)
    events, above = surroundings.kept(path, user), surroundings.kept(path.parent, user)
    yield checkup.written("events", events, above, who)
    if path.parent != state:
        folder = surroundings.kept(state, user)
        yield checkup.written("state", folder, folder, who)
    there = Journal(path, kept.rotate_at, kept.rotate_every, kept.keep).rotated() + [path]
    held = sum(each.stat().st_size for each in there if each.exists())
    yield checkup.room(surroundings.room(path.parent), max(0, kept.rotate_at * (kept.keep + 1) - held))


def _plans(settings: Settings) -> Finding:
    try:
        book = read_planbook(settings.plans.folder, settings.heartbeat.every, settings.heartbeat.late)
    except SettingsError as wrong:
        return checkup.plans(0, 0, [str(problem) for problem in wrong.problems])
    return checkup.plans(*book.size(), [])


def _names(state: Path) -> list[Bound]:
    try:
        return Names(state / "names.jsonl").read()
    except OSError:
        return []


def _near(address: str) -> str:
    """Where on this machine something listens that listens everywhere."""
    return "127.0.0.1" if address == "0.0.0.0" else address
