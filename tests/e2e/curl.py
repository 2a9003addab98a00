"""curl(1), as people use it."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.processes import run

ABSENT = None if shutil.which("curl") else "no curl here (Debian's package of that name)"
MARK = "\n\n--m436--"


class Curled(NamedTuple):
    """Status and body of an answer; status 0: there was none, and the text says why."""

    status: int
    text: str

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


def curl(url: str, *options: str | Path, token: str = "") -> Curled:
    """Ask once, within ten seconds."""
    shown = ["-H", f"Authorization: Bearer {token}"] if token else []
    asked = ["curl", "-sS", "-m", "10", "--path-as-is", "-w", MARK + "%{http_code}", *shown, *options, url]
    _, output = run(asked)
    text, _, rest = output.partition(MARK)
    return Curled(int(rest[:3] or 0), text + rest[3:])
