"""The steps of the rehearsal, in order. To add one: an async function here, and its line in STEPS."""

from collections.abc import Awaitable, Callable

from monitor436.agent import event as stated
from monitor436.demo.stage import BAD, HOSTS, MORE, PLAN, NotSeen, Stage
from monitor436.model import event as kinds
from monitor436.model.audit.proof import Proof
from monitor436.model.event import Event
from monitor436.model.words import count

PATIENCE = 15.0  # seconds for what must happen; most takes less than two

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


async def return_(stage: Stage) -> str:
    """It comes back."""
    stage.start("web2")
    return (await _event(stage, kinds.HOST_UP, "web2")).text


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
    ("agent back: up", return_),
    ("plan edited", edit),
    ("bad plan refused", mistake),
    ("nothing lost", proof),
]


async def _event(stage: Stage, kind: str, host: str = "") -> Event:
    try:
        return await stage.seen(lambda event: event.kind == kind and (not host or event.host == host), PATIENCE)
    except NotSeen:
        raise Missed(f"no {kind}{' of ' + host if host else ''} within {PATIENCE:g} s") from None
