"""The steps of the rehearsal, in order. To add one: an async function here, and its line in STEPS."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import json

from monitor436.agent import event as stated
from monitor436.demo.ssh_fleet import HOSTS as SSH_HOSTS
from monitor436.demo.stage import BAD, HOSTS, LOOPBACK, MORE, PLAN, NotSeen, Stage
from monitor436.demo.status_pages import FAILING, PAGES
from monitor436.model import event as kinds
from monitor436.model.audit.proof import Proof
from monitor436.model.event import Event
from monitor436.model.fleet.report import Report
from monitor436.model.words import count

PATIENCE = 15.0  # seconds for what must happen; most takes less than two
LOOK = 0.1  # seconds between looks at what makes no event

Found = TypeVar("Found")
Step = tuple[str, Callable[[Stage], Awaitable[str]]]


class Missed(Exception):
    """A step did not happen."""


async def discovery(stage: Stage) -> str:
    """Three agents find the server by broadcast and join it."""
    for host in HOSTS:
        stage.start(host)
    for host in HOSTS:
        await _event(stage, kinds.HOST_FOUND, host)
    return f"{', '.join(HOSTS)} found the server, nothing typed"


async def plans(stage: Stage) -> str:
    """Each has its plan in force."""
    events = [await _event(stage, stated.PLAN_IN_FORCE, host) for host in HOSTS]
    return events[0].text


async def log_line(stage: Stage) -> str:
    """A line in a log file becomes an event of each host that follows it."""
    with open(stage.log, "a") as log:
        log.write("ERROR payment 4711 failed\n")
    events = [await _event(stage, stated.LOG_LINE, host) for host in HOSTS]
    return f"{events[0].text!r} seen by {count(len(events), 'host')}"


async def death(stage: Stage) -> str:
    """An agent is killed: late, asked, down."""
    stage.kill("web2")
    await _event(stage, kinds.HOST_LATE, "web2")
    return (await _event(stage, kinds.HOST_DOWN, "web2")).text


async def alarm(stage: Stage) -> str:
    """Whoever is to be told gets it by a webhook."""
    text = await _until(stage, lambda: stage.receiver.item("alarm", "web2"), "alarm of web2")
    return f"the receiver was told: {text}"


async def return_(stage: Stage) -> str:
    """It comes back."""
    stage.start("web2")
    return (await _event(stage, kinds.HOST_UP, "web2")).text


async def recovery(stage: Stage) -> str:
    """And of the recovery too."""
    text = await _until(stage, lambda: stage.receiver.item("recovery", "web2"), "recovery of web2")
    return f"the receiver was told: {text}"


async def edit(stage: Stage) -> str:
    """An edited plan is in force in seconds."""
    stage.forget()
    stage.plan(PLAN + MORE)
    events = [await _event(stage, stated.PLAN_IN_FORCE, host) for host in HOSTS]
    return f"edited: {events[0].text}"


async def mistake(stage: Stage) -> str:
    """A plan with a mistake changes nothing, and is told with file, line and column."""
    stage.plan(PLAN + MORE + BAD)
    text = (await _event(stage, kinds.PLANS_REFUSED)).text
    wanted = f"all.yaml:{(PLAN + MORE).count(chr(10)) + 2}:"
    if wanted not in text:
        raise Missed(f"{wanted} is not in: {text}")
    stage.plan(PLAN + MORE)
    return text.partition(": ")[2].rpartition("/")[2]


async def sweep(stage: Stage) -> str:
    """Ten hosts without an agent are asked over ssh; one that is rebooted is told."""
    host = SSH_HOSTS[6]
    await _swept(stage)
    stage.ssh.reboot(host)
    rebooted = await _event(stage, kinds.HOST_REBOOTED, host)
    return f"{count(len(SSH_HOSTS), 'host')} answer over ssh; {rebooted.text}"


async def fleet(stage: Stage) -> str:
    """Sixty status pages are asked, and their answers summed up by application and version."""
    asks = "report", "-i", str(stage.pages.inventory), "-q", "95", "-t", f"{PATIENCE:g}"
    status, told, problem = await stage.command(*asks, "--json")
    if status:
        raise Missed(f"report ended with status {status}: {problem}")
    found = json.decode(told, type=Report)
    if (found.answered.of, found.answered.well) != (PAGES, PAGES - len(FAILING)):
        raise Missed(f"{found.answered.well} of {found.answered.of} pages answered")
    worst = min((group for group in found.groups if group.rate), key=lambda group: group.rate.percent)  # type: ignore[union-attr]
    return (
        f"{found.answered.well} of {PAGES} pages answered, {len(found.groups)} versions, the least well "
        f"{' '.join(worst.by.values())} with {worst.rate.percent:.2f} %"  # type: ignore[union-attr]
    )


async def metrics(stage: Stage) -> str:
    """What a host pushes is read back as the summary of its minute."""
    place = f"http://{LOOPBACK}:{stage.monitor.getServiceNamed('http').port}/api/perf"
    status, _, problem = await stage.command("push", "--this-host", "db1", "--publish", place, "--once")
    if status:
        raise Missed(f"push ended with status {status}: {problem}")
    last = (await stage.page(f"{place}/db1/mem"))["summary:by-minute:mem"]["averages"][-1]
    return f"db1's memory in use was pushed, and reads back as {last['avg']:.1f} % of {count(last['count'], 'sample')}"


async def proof(stage: Stage) -> str:
    """Every event is in the file, once."""
    with open(stage.settings.events.file, "rb") as file:
        found = Proof().read(file)
    if found.flaws:
        raise Missed(f"the events file is not complete: {found.flaws[0]}")
    return f"complete: {count(found.lines, 'event')} of {count(found.spools, 'spool')}, none missing, none doubled"


STEPS: list[Step] = [
    ("found by broadcast", discovery),
    ("plan in force", plans),
    ("log line seen", log_line),
    ("agent killed: down", death),
    ("alert caught", alarm),
    ("agent back: up", return_),
    ("recovery told", recovery),
    ("plan edited", edit),
    ("bad plan refused", mistake),
    ("hosts swept over ssh", sweep),
    ("report of sixty status pages", fleet),
    ("metrics pushed and read back", metrics),
    ("nothing lost", proof),
]


async def _swept(stage: Stage) -> None:
    """A round in which all of them answered."""

    def well() -> bool:
        rounds = stage.monitor.getServiceNamed("sweeps").known()["fleet"].polled.rounds
        return bool(rounds) and rounds[-1].well == len(SSH_HOSTS)

    await _until(stage, well, f"round in which all {len(SSH_HOSTS)} hosts answered over ssh")


async def _until(stage: Stage, found: Callable[[], Found], what: str) -> Found:
    """What `found` gives when it gives something."""
    for _ in range(int(PATIENCE / LOOK)):
        if got := found():
            return got
        await stage.pause(LOOK)
    raise Missed(f"no {what} within {PATIENCE:g} s")


async def _event(stage: Stage, kind: str, host: str = "") -> Event:
    try:
        return await stage.seen(lambda event: event.kind == kind and (not host or event.host == host), PATIENCE)
    except NotSeen:
        raise Missed(f"no {kind}{' of ' + host if host else ''} within {PATIENCE:g} s") from None
