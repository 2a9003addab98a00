"""`agent436.pyz event`: a script on this host states an event."""

import json
import os
import re
import time

from monitor436.agent import event as stated
from monitor436.agent.options import InTheWay, UsageError, Words, state_here
from monitor436.agent.store.durable import sync_folder, write_all
from monitor436.agent.store.statement import FOLDER, MAX_FILES, slip

USAGE = """\
usage: agent436.pyz event [options] [TEXT | -]

States an event. It is on the disk of this host when this ends with status 0, whether an agent runs or not, and is sent
as soon as one does. Without a text, or with -, the text is read from standard input (the first 512 bytes).

  --severity info|warning|critical   how bad it is (default: info)
  --check NAME                       which check it belongs to, of the plan or not
  --tag TAG                          may be given several times
  --field NAME=VALUE                 may be given several times; numbers, true and false are kept as such
  --state DIR                        the state folder of the agent (default: that of an agent on this host)

Exit status 0: it is kept. 1: it is not, and the last line says why. 2: a wrong command line.

examples:
  agent436.pyz event "backup done" --field seconds=341
  backup.sh 2>&1 | tail -c 512 | agent436.pyz event --severity warning --check backup
"""
OPTIONS = ["severity=", "check=", "tag=", "field=", "state=", "help"]
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?\Z")  # 010 is none, and stays what it is
WORDS = {"true": True, "false": False}


def main(words: "list[str]") -> int:
    """State the event that the command line tells."""
    given = Words(words, OPTIONS)
    said = given.nothing_else(1)
    severity = given.one_of("severity", stated.SEVERITIES, "info")
    check, tags, fields = given.text("check", ""), given.all("tag"), _fields(given.all("field"))
    problem = slip(check, fields, list(tags))
    if problem:
        raise UsageError(problem)
    text = said[0] if said and said[0] != "-" else _from_stdin()
    if not text.strip():
        raise UsageError("an event without a text")
    event = stated.event(stated.REPORTED, severity, text.strip(), time.time(), check, fields, tuple(tags))  # type: ignore[arg-type]
    if len(event.get("fields", {})) < len(fields):  # type: ignore[arg-type]
        raise UsageError("--field: more than {} bytes altogether".format(stated.MAX_FIELDS))
    leave(given.text("state", state_here()), json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))
    return 0


def leave(state: str, content: bytes) -> None:
    """Leave an event in the inbox of a state folder, durably. Raises InTheWay."""
    folder = os.path.join(state, FOLDER)
    try:
        owner = os.stat(state)
        if not os.path.isdir(folder):
            _make(folder, owner)
        if len(os.listdir(folder)) >= MAX_FILES:
            raise InTheWay("{} holds {} events already: does the agent run?".format(folder, MAX_FILES))
        _write(folder, content, owner)
    except FileNotFoundError:
        raise InTheWay("{}: no agent has ever run with this state folder (--state DIR)".format(state)) from None
    except OSError as problem:
        raise InTheWay("{}: {}".format(folder, problem.strerror)) from None


def _write(folder: str, content: bytes, owner: os.stat_result) -> None:
    name = "{:017d}-{}".format(int(time.time() * 1e6), os.urandom(4).hex())  # sorts by time
    path, new = os.path.join(folder, name + ".json"), os.path.join(folder, "." + name)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if os.geteuid() == 0:
            os.fchown(file, owner.st_uid, owner.st_gid)  # the agent's user has to read it
        write_all(file, content)
        os.fsync(file)
        os.rename(new, path)
    except OSError:
        os.unlink(new)
        raise
    finally:
        os.close(file)
    sync_folder(folder)


def _make(folder: str, owner: os.stat_result) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        return  # another event came first
    if os.geteuid() == 0:
        os.chown(folder, owner.st_uid, owner.st_gid)
    sync_folder(os.path.dirname(folder))


def _from_stdin() -> str:
    """The first bytes; the rest is read as well, so that whoever writes it is not stopped."""
    if os.isatty(0):
        raise UsageError("an event needs a text")
    raw, more = b"", b" "
    while more:
        more = os.read(0, 65536)
        raw += more[: stated.MAX_TEXT - len(raw)]
    return raw.decode("utf-8", "backslashreplace")


def _fields(given: "list[str]") -> "dict[str, object]":
    """NAME=VALUE each. Raises UsageError."""
    fields = {}  # type: dict[str, object]
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise UsageError("--field: expected NAME=VALUE, got {!r}".format(each))
        if value in WORDS:
            fields[name] = WORDS[value]
        elif NUMBER.match(value):
            fields[name] = float(value) if "." in value else int(value)
        else:
            fields[name] = stated.cut(value, stated.MAX_FIELDS)
    return fields
