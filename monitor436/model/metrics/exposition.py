"""Metrics as Prometheus reads them: the families there are, and their text in its two formats. Pure.

Formats: Prometheus text 0.0.4, and OpenMetrics 1.0.0, which says the same of counters under another name and ends with
a word of its own.
"""

from collections.abc import Iterable, Iterator
from math import isfinite, isnan
from typing import Literal, NamedTuple
from zlib import crc32

Kind = Literal["gauge", "counter", "info"]
Sample = tuple[tuple[str, ...], float]  # the values of the labels, in the order of the family, and the value

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
MOST_LABEL = 300  # characters of a label's value


class Family(NamedTuple):
    """Metrics of one name; a counter's name ends with _total, that of an info with _info."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    why: str


def _table(*families: Family) -> dict[str, Family]:
    return {family.name.removeprefix("monitor436_"): family for family in families}


FAMILIES = _table(
    Family("monitor436_build_info", "info", ("version",), "The version of this server."),
    Family("monitor436_hosts", "gauge", ("state",), "Hosts that are known, by state."),
    Family("monitor436_host_up", "gauge", ("host",), "1 while a host is up or was stopped cleanly, else 0."),
    Family("monitor436_host_state", "gauge", ("host", "state"), "1 for the state that a host is in."),
    Family("monitor436_host_last_seen_age_seconds", "gauge", ("host",), "Seconds since a host was last heard."),
    Family("monitor436_host_spool_bytes", "gauge", ("host",), "Bytes that wait in the spool of a host."),
    Family("monitor436_host_uptime_seconds", "gauge", ("host",), "Seconds since a host booted, as it says."),
    Family("monitor436_check_state", "gauge", ("host", "check"), "How bad a check is: 0 ok, 1 warning, 2 critical."),
    Family("monitor436_check_value", "gauge", ("host", "check", "label"), "What a check measured last."),
    Family("monitor436_metric", "gauge", ("host", "label"), "The newest value of a label that a host was posted with."),
    Family("monitor436_poll_targets", "gauge", ("poll",), "Targets of a poll's last round."),
    Family("monitor436_poll_targets_well", "gauge", ("poll",), "Targets that answered well in a poll's last round."),
    Family("monitor436_poll_targets_failing", "gauge", ("poll",), "Targets of a poll that are told to fail."),
    Family("monitor436_poll_round_seconds", "gauge", ("poll",), "How long a poll's last round took."),
    Family("monitor436_poll_round_timestamp_seconds", "gauge", ("poll",), "When a poll's last round began."),
    Family("monitor436_poll_trusted", "gauge", ("poll",), "0 while a poll's rounds say more of this server."),
    Family("monitor436_sweep_hosts", "gauge", ("sweep",), "Hosts of a sweep's last round."),
    Family("monitor436_sweep_hosts_answered", "gauge", ("sweep",), "Hosts that answered well in a sweep's last round."),
    Family("monitor436_sweep_hosts_failing", "gauge", ("sweep",), "Hosts of a sweep that are told to fail."),
    Family("monitor436_sweep_round_seconds", "gauge", ("sweep",), "How long a sweep's last round took."),
    Family("monitor436_sweep_round_timestamp_seconds", "gauge", ("sweep",), "When a sweep's last round began."),
    Family("monitor436_sweep_trusted", "gauge", ("sweep",), "0 while a sweep's rounds say more of this server."),
    Family("monitor436_datagrams_total", "counter", ("type",), "Datagrams that were taken, by type."),
    Family("monitor436_datagrams_refused_total", "counter", ("reason",), "Datagrams that were refused, by reason."),
    Family("monitor436_datagrams_dropped_total", "counter", (), "Datagrams that the kernel dropped."),
    Family("monitor436_door_connections", "gauge", (), "Connections of hosts that are open at the TLS door."),
    Family("monitor436_door_connections_ended_total", "counter", ("fate",), "Connections there that did not end well."),
    Family(
        "monitor436_lag_seconds", "gauge", (), "How late this server is: 99 of 100 of the last minute were not later."
    ),
    Family("monitor436_syncs_total", "counter", (), "How often events were made durable."),
    Family("monitor436_sync_seconds_total", "counter", (), "Seconds that the disk took for that."),
    Family(
        "monitor436_events_total",
        "counter",
        ("kind", "severity"),
        "Events that became durable; unknown kinds as other.",
    ),
    Family("monitor436_degraded", "gauge", ("part",), "1 while a part cannot keep what it is to keep."),
    Family("monitor436_samples_total", "counter", ("fate",), "Samples of metrics, by what became of them."),
    Family("monitor436_http_requests_total", "counter", ("method", "path", "status"), "HTTP requests, by route."),
    Family("monitor436_http_request_seconds_total", "counter", ("method", "path"), "Seconds that they took."),
    Family("monitor436_http_received_bytes_total", "counter", ("method", "path"), "Bytes of their bodies."),
    Family("monitor436_http_sent_bytes_total", "counter", ("method", "path"), "Bytes of the answers' bodies."),
    Family("monitor436_http_connections", "gauge", (), "HTTP connections that are open."),
    Family("monitor436_http_connections_ended_total", "counter", ("fate",), "HTTP connections that did not end well."),
    Family("monitor436_series_left_out", "gauge", ("family",), "Series that this page has no room for."),
    Family("process_cpu_seconds_total", "counter", (), "Seconds of processor time that this server used."),
    Family("process_resident_memory_bytes", "gauge", (), "Bytes of memory that this server takes."),
    Family("process_open_fds", "gauge", (), "Descriptors that this server has open."),
    Family("process_start_time_seconds", "gauge", (), "When this server started."),
)


def family_lines(family: Family, samples: Iterable[Sample], openmetrics: bool) -> Iterator[str]:
    """The lines of a family; nothing without a sample."""
    name = family.name
    head, prefix = name, name
    kind: str = family.kind
    if openmetrics:
        head = (
            name.removesuffix("_total") if kind == "counter" else name.removesuffix("_info") if kind == "info" else name
        )
    elif kind == "info":
        kind = "gauge"
    labels = [f'{label}="' for label in family.labels]
    why = family.why.replace("\\", "\\\\").replace("\n", "\\n")
    first = True
    for values, value in samples:
        if first:
            first = False
            yield f"# HELP {head} {why}\n# TYPE {head} {kind}\n"
        if labels:
            told = '",'.join([label + escaped(text) for label, text in zip(labels, values, strict=True)])
            yield f'{prefix}{{{told}"}} {number(value)}\n'
        else:
            yield f"{prefix} {number(value)}\n"


def end(openmetrics: bool) -> str:
    """What the text ends with."""
    return "# EOF\n" if openmetrics else ""


def escaped(text: str) -> str:
    """The value of a label; whatever is not printable is spelt out, and what is long is cut."""
    if not text.isprintable() or len(text) > MOST_LABEL:
        plain = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:MOST_LABEL])
        text = f"{plain[:MOST_LABEL]}…{crc32(text.encode('utf-8', 'backslashreplace')):08x}"  # two remain two
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return text


def number(value: float) -> str:
    """A value as both formats have it."""
    if isinstance(value, int):
        return str(int(value))
    if isfinite(value):
        return repr(value)
    return "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header prefers OpenMetrics 1.0 to the plain text (RFC 9110 section 12.5.1)."""
    best = {"open": 0.0, "text": 0.0}
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        told = dict(part.partition("=")[::2] for part in parameters)
        try:
            weight = min(max(float(told.get("q", "1")), 0.0), 1.0)
        except ValueError:
            weight = 0.0
        if kind == "application/openmetrics-text" and told.get("version", "1.0.0").strip('"') in ("1.0.0", "1.0"):
            best["open"] = max(best["open"], weight)
        elif kind in ("text/plain", "text/*", "*/*") and told.get("version", "0.0.4").strip('"') == "0.0.4":
            best["text"] = max(best["text"], weight)
    return best["open"] > 0 and best["open"] >= best["text"]
