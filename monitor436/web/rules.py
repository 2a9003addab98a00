"""The plan of a host over HTTP: each rule, and the file and line where it was written."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, json

from monitor436.web.route import Call, Refusal, Route

MOST_RULE = 600  # letters of a rule


class Rule(Struct):
    """A check of a plan: what it says beside its name, in words of the plan file, and where."""

    name: str
    rule: str
    file: str
    line: int


class Rules(Struct):
    """The plan that the files say for a host, in the order of the plan, and its digest."""

    digest: str
    checks: list[Rule]


class RulesPage:
    """`known(host)`: it is one of ours; `plan` gives its plan as JSON, `origin` by check the places, in `folder`."""

    def __init__(
        self,
        known: Callable[[str], object],
        plan: Callable[[str], bytes],
        origin: Callable[[str], Mapping[str, tuple[str, int]]],
        digest: Callable[[str], str],
        folder: str,
    ) -> None:
        self._folder = folder.rstrip("/") + "/"
        self._known = known
        self._plan = plan
        self._origin = origin
        self._digest = digest

    def routes(self) -> list[Route]:
        """One page."""
        summary = "The plan of a host: each rule, with the file and line where it is written."
        refuses = {404: "No such host is known."}
        return [Route("GET", "/api/hosts/{host}/plan", "read", self.get, summary, gives=Rules, refuses=refuses)]

    async def get(self, call: Call) -> Rules:
        """One host's."""
        host = call.values["host"]
        if not self._known(host):  # the book remembers everybody it was asked about
            raise Refusal(404, "Not Found", f"no host {host[:100]!r} is known here")
        origin = self._origin(host)
        rules = []
        for check in json.decode(self._plan(host))["checks"]:
            file, line = origin.get(check["name"], ("", 0))
            rules.append(Rule(check["name"], _said(check), file.removeprefix(self._folder), line))
        return Rules(self._digest(host), rules)


def _said(check: Mapping[str, Any]) -> str:
    parts = [f"{key}: {_value(value)}" for key, value in check.items() if key != "name" and value not in ([], "")]
    text = "; ".join(parts)
    return text if len(text) <= MOST_RULE else text[: MOST_RULE - 1] + "…"


def _value(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.encode(value).decode()
