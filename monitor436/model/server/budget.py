"""What a fleet costs: memory, disk and network of its server, from what one host was measured to cost. Pure.

Memory is that of a process of its own in which hosts greeted, beat, told an event and were there for a while,
with the real roster, sessions, ledger and plans (tests/weighing.py, 2,000 to 20,000 hosts, Python 3.11 to 3.13):

    memory = EMPTY + hosts × HOST + min(hosts, KEYS) × READY_KEY + checks × CHECK + hosts × labels × SERIES

Lines are those that the event log writes for hosts with names of twelve letters; heartbeats are datagrams with IP and
UDP headers; what they cost in CPU is from benchmarks/README.md. A test weighs and measures anew, and allows a fifth.
"""

from msgspec import Struct

from monitor436.model.keys.sessions import MAX_HOSTS_KEYS as KEYS

DAY = 86400  # seconds
MINUTES = 1440  # of a day: values of metrics are taken once in each, unless plans say otherwise

EMPTY = 56 << 20  # bytes of a server without hosts, from VmRSS in /proc/PID/status
HOST = 5160  # bytes for each host: roster, its last datagrams (2,000), session, ledger, name, plan
READY_KEY = 1280  # bytes for each host key that is kept ready
CHECK = 3300  # bytes for each check of a plan file, however many hosts have it
LINE = 320  # bytes of a line about a check or from a log
METRIC = 277  # bytes of a line with one value
SERIES = 5500  # bytes for the summaries of one label of one host
SERIES_KEPT = 7500  # bytes for them in summaries.sqlite
KEPT = 288  # bytes for each host in roster.json
NAMED = 175  # bytes for each host in names.jsonl
BEAT = 181  # bytes of a heartbeat
BEATACK = 181  # bytes of its answer
BEAT_CPU = 10e-6  # seconds for both
GREETING = 1153  # bytes of receive buffer, as it is asked for: the kernel keeps 2304 for one, and gives twice
AGENT = 13 << 20  # bytes of an agent on its host


class Budget(Struct, frozen=True):
    """What it comes to. Sizes are bytes, `cpu` is the part of a core that heartbeats take.

    `lines` is how many lines a day come into the events file and `disk` how much that is; `state` is what the other
    files of the server hold; `days` is how many days the events files that are kept reach back; `datagrams` and
    `network` are heartbeats with their answers, a second; `buffer` is the `agents.receive_buffer` that takes the
    greetings of all at once.
    """

    memory: int
    lines: int
    disk: int
    state: int
    days: float
    datagrams: float
    network: int
    cpu: float
    buffer: int
    agent: int = AGENT


def budget(hosts: int, checks: int, labels: int, events: float, beat: float, kept: int) -> Budget:
    """What `hosts` cost that each have `checks`, send the values of `labels` once a minute, and tell so many `events` a
    day for each check.

    `beat` is the time between heartbeats in seconds, `kept` how many bytes of events files are kept.
    """
    told, measured = round(hosts * checks * events), hosts * labels * MINUTES
    disk = told * LINE + measured * METRIC
    return Budget(
        memory=EMPTY + hosts * HOST + min(hosts, KEYS) * READY_KEY + checks * CHECK + hosts * labels * SERIES,
        lines=told + measured,
        disk=disk,
        state=hosts * (KEPT + NAMED) + hosts * labels * SERIES_KEPT,
        days=round(kept / disk, 2) if disk else float("inf"),
        datagrams=round(2 * hosts / beat, 1),
        network=round(hosts * (BEAT + BEATACK) / beat),
        cpu=round(hosts / beat * BEAT_CPU, 4),
        buffer=max(4096, hosts * GREETING),
    )
