"""`agent436.pyz check`: what a plan would come to on this host, before it is in force."""

import json
import os
import sys

from monitor436.agent import limits
from monitor436.agent.basis import allowed_here
from monitor436.agent.options import Words, state_here
from monitor436.agent.shape import printable
from monitor436.agent.tools.given_plan import BadPlan, given_plan
from monitor436.agent.tools.glance import Glance
from monitor436.agent.tools.trial import Result, tried

USAGE = """\
usage: agent436.pyz check [options] [FILE]

Looks at a plan, as `monitor436 config plan HOST` prints it: every mistake in it; then, what this host refuses or cannot
read; then each reading, process and command check is made once, and its value and state shown. Without FILE it is the
plan in force, with - what comes on standard input. Nothing is sent, and nothing of the agent is changed.

  --no-run       make no checks
  --json         one JSON object
  --state DIR    the state folder of the agent (default: that of an agent on this host)
  --commands none|listed|any, --logs none|listed|any, --run-as USER
                 what the agent is started with, if it is

Exit status 0: everything works, whatever the values are. 1: something does not on this host. 2: the plan has mistakes,
or a wrong command line.

examples:
  agent436.pyz check
  ssh srv monitor436 config plan web1 | agent436.pyz check -
"""
OPTIONS = ["no-run", "json", "state=", "commands=", "logs=", "run-as=", "help"]


def main(words: "list[str]") -> int:
    """Look at the plan, and tell."""
    given = Words(words, OPTIONS[:-1])
    file = (given.nothing_else(1) or [""])[0]
    folder = given.text("state", state_here())
    policies = [given.one_of(what, limits.POLICIES, "listed") for what in ("commands", "logs")]
    allowed = allowed_here(policies[0], policies[1], given.text("run-as", ""), Glance(folder))
    try:
        name, plan = given_plan(file, folder)
    except BadPlan as wrong:
        if given.has("json"):
            print(json.dumps({"good": False, "problems": wrong.problems, "checks": []}, ensure_ascii=False))
        else:
            sys.stderr.write("".join("{}\n".format(each) for each in wrong.problems))
        return 2
    results = [result for check in plan.checks for result in tried(check, allowed, not given.has("no-run"))]
    bad = sum(result.how == "bad" for result in results)
    if given.has("json"):
        told = [dict(result._asdict()) for result in results]
        print(json.dumps({"good": True, "works": not bad, "problems": [], "checks": told}, ensure_ascii=False))
    else:
        sys.stdout.write("".join("{}\n".format(each) for each in _note(folder) + shown(results)))
        count = "{} check{}".format(len(plan.checks), "" if len(plan.checks) == 1 else "s")
        print("{}: {}, {}".format(name, count, "{} do not work here".format(bad) if bad else "everything works"))
    return 1 if bad else 0


def shown(results: "list[Result]") -> "list[str]":
    """Results as columns: how it went, the check, what there is to say."""
    width = max((len(result.check) for result in results), default=0)
    return [
        "{:4}  {:{}}  {}".format("BAD" if each.how == "bad" else each.how, each.check, width, printable(each.says))
        for each in results
    ]


def _note(folder: str) -> "list[str]":
    """Who tries is not always who will run it."""
    try:
        owner = os.stat(folder).st_uid
    except OSError:
        return []
    if owner == os.geteuid():
        return []
    return ["note  the agent runs as user {}, this is user {}: what can be read may differ".format(owner, os.geteuid())]
