"""An event as the agent states it: a flat dict that is JSON in the spool and on the wire."""

SEVERITIES = ("info", "warning", "critical")

AGENT_STARTED = "agent_started"
AGENT_STOPPED = "agent_stopped"
PLAN_IN_FORCE = "plan_in_force"
PLAN_REFUSED = "plan_refused"
CHECK_REFUSED = "check_refused"
CHECK_FAILED = "check_failed"
CHECK_STATE = "check_state"
CHECK_STUCK = "check_stuck"
LOG_LINE = "log_line"
LOG_COUNT = "log_count"
LOG_OVER = "log_over"
LOG_SILENT = "log_silent"
LOG_GAP = "log_gap"
LOG_UNREADABLE = "log_unreadable"
LOST = "lost"
METRIC = "metric"
REPORTED = "reported"

MAX_TEXT = 512  # bytes of UTF-8: an event with its fields fits one datagram
MAX_FIELDS = 256  # bytes of UTF-8 over all fields, for the same reason


def cut(text: str, limit: int) -> str:
    """`text`, or as much of its start as fits `limit` bytes of UTF-8, with "…" where something was cut off."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= limit:
        return raw.decode("utf-8")
    return raw[: limit - 3].decode("utf-8", "ignore") + "…"


def event(
    kind: str,
    severity: str,
    text: str,
    at: float,
    check: str = "",
    fields: "dict[str, str | int | float | bool] | None" = None,
    tags: "tuple[str, ...]" = (),
) -> "dict[str, object]":
    """An event of `kind` that happened at `at` (wall clock of this host, seconds); empty parts are left out.

    The text is cut to MAX_TEXT bytes, and fields are kept, in their order, while they fit MAX_FIELDS.
    """
    stated = {"at": round(at, 3), "severity": severity, "kind": kind, "text": cut(text, MAX_TEXT)}  # type: dict[str, object]
    if check:
        stated["check"] = check
    if fields:
        kept = {}
        room = MAX_FIELDS
        for name, value in fields.items():
            worth = cut(value, room) if isinstance(value, str) and room > 8 else value
            room -= len(name) + len(str(worth).encode())
            if room < 0:
                break
            kept[name] = worth
        stated["fields"] = kept
    if tags:
        stated["tags"] = list(tags)
    return stated
