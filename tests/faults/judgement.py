"""Afterwards: what stands in the events files, beside what applications have written."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.processes import MONITOR436, run
from tests.faults.machines import HostMachine, ServerMachine, line

SECONDS = 120.0  # that a command may take
SHOWN = 10


class Judgement(NamedTuple):
    """What was found. All but the first two should be 0, "" or empty."""

    lines: int  # that applications have written
    twice: int  # ids that both servers have
    missing: list[str]  # lines that are in no events file
    doubled: list[str]  # lines that are under two ids: read twice
    doubled_ids: list[str]  # ids that are in one server's files twice
    unmarked: list[str]  # ids that two servers have without a mark
    others: list[str]  # log lines that nobody wrote
    verify: str  # what `monitor436 verify` says, if that is not that all is complete
    merge: str  # in what `monitor436 merge` disagrees with it

    @property
    def good(self) -> bool:
        """Nothing to be found fault with."""
        return not any(self[2:])

    def told(self) -> str:
        """What is found fault with, in words: the first few of each kind."""
        lines = []
        for name, value in zip(self._fields[2:], self[2:], strict=True):
            some = value[:SHOWN] if isinstance(value, list) else [value] if value else []
            lines += [f"{name} ({len(value)}):", *some] if isinstance(value, list) and value else some
        return "\n".join(lines)


def missing(servers: Iterable[ServerMachine], hosts: Iterable[HostMachine]) -> int:
    """How many lines are in no events file yet."""
    found = {event["text"] for server in servers for event in events(server.files()) if event["kind"] == "log_line"}
    return sum(line(host.name, number) not in found for host in hosts for number in range(1, host.written + 1))


def judge(servers: list[ServerMachine], hosts: list[HostMachine], folder: Path) -> Judgement:
    """Look at everything, with everything stopped."""
    by_server = [_by_id(server) for server in servers]
    doubled_ids = [each for found in by_server for each, copies in found.items() if len(copies) > 1]
    shared = [each for each, times in Counter(each for found in by_server for each in found).items() if times > 1]
    unmarked = [
        each
        for each in shared
        if sum(not copies[0].get("again") for copies in (f[each] for f in by_server if each in f)) > 1
    ]
    ids: dict[str, set[str]] = {}
    for found in by_server:
        for name, copies in found.items():
            if copies[0]["kind"] == "log_line":
                ids.setdefault(copies[0]["text"], set()).add(name)
    written = [line(host.name, number) for host in hosts for number in range(1, host.written + 1)]
    gone = [text for text in written if text not in ids]
    doubled = [f"{text}: {', '.join(sorted(each))}" for text, each in ids.items() if len(each) > 1]
    others = sorted(set(ids) - set(written))
    verdict, disagrees = _commands(servers, folder, written, len(set().union(*by_server)))
    return Judgement(len(written), len(shared), gone, doubled, doubled_ids, unmarked, others, verdict, disagrees)


def events(files: Iterable[Path]) -> list[dict[str, Any]]:
    """What can be read of these files: a line that was torn by a power cut is none."""
    found = []
    for path in files:
        for text in path.read_bytes().splitlines():
            try:
                event = json.loads(text)
            except ValueError:
                continue
            if isinstance(event, dict) and "kind" in event:
                found.append(event)
    return found


def _by_id(server: ServerMachine) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events(server.files()):
        found.setdefault(event["id"], []).append(event)
    return found


def _commands(servers: list[ServerMachine], folder: Path, written: list[str], ids: int) -> tuple[str, str]:
    """What is wrong by `verify` and `merge`, for all files together, for each server, for the merged stream."""
    files = [path for server in servers for path in server.files()]
    wrong = []
    for some in (files, *(server.files() for server in servers)):
        status, said = run([*MONITOR436, "verify", *some], seconds=SECONDS)
        if status or not said.startswith("complete"):
            wrong.append(said)
    merged = folder / "merged.jsonl"
    status, said = run([*MONITOR436, "merge", "-o", merged, *files], seconds=SECONDS)
    disagrees = [said] if status else []
    stream = events([merged])
    texts = [event["text"] for event in stream if event["kind"] == "log_line"]
    if sorted(texts) != sorted(written):
        disagrees.append(f"{len(texts)} log lines in the merged stream, {len(written)} written")
    if len(stream) != ids:
        disagrees.append(f"{len(stream)} events in the merged stream, {ids} ids in the files")
    status, said = run([*MONITOR436, "verify", merged], seconds=SECONDS)
    if status:
        disagrees.append(f"the merged stream: {said}")
    return "\n".join(wrong), "\n".join(disagrees)
