"""The house stands: imports point down, and what is pure stays pure. ARCHITECTURE.md tells the floors."""

import ast
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BLOCKS, EXTENSIONS, SERVICES = 2, 3, 4


class Floor(NamedTuple):
    """A floor: what stands on it, and which libraries may be used there and on the floors above."""

    rooms: tuple[str, ...]
    libraries: tuple[str, ...] = ()


FLOORS = (
    Floor(("agent",)),
    Floor(("model",), ("msgspec",)),
    Floor(
        (), ("twisted", "zope", "yaml", "cryptography", "OpenSSL", "txredisapi")
    ),  # every module beside the folders that is not named here
    Floor(("probes", "notifiers", "storage", "queues"), ("httptools", "treq")),
    Floor(("services", "web"), ("psutil",)),
    Floor(("assembly",)),
    Floor(("application",)),
    Floor(("tap", "cli", "demo"), ("click", "rich")),
)
DOORS = len(FLOORS) - 1
FOR_THE_MODEL = {"monitor436.agent.wire", "monitor436.agent.plan", "monitor436.agent.event"}

# Arrows along a floor, each with its reason.
NEIGHBOURS = {
    ("monitor436.binder", "monitor436.yaml_source"),  # settings and plans are written in the same YAML
    ("monitor436.planfolder", "monitor436.yaml_source"),
    ("monitor436.names", "monitor436.json_lines"),  # files of one kind
    ("monitor436.token_file", "monitor436.json_lines"),
    ("monitor436.acts", "monitor436.json_lines"),
    ("monitor436.links", "monitor436.json_lines"),
    ("monitor436.pulse", "monitor436.periodic"),  # it is one
    ("monitor436.redis_link", "monitor436.redis_wire"),  # which is imported late, as it costs 140 ms
    ("monitor436.redis_link", "monitor436.redis_endpoint"),  # how a link comes to stand
    ("monitor436.redis_endpoint", "monitor436.pem"),
    ("monitor436.services.agents", "monitor436.services.event_log"),
    ("monitor436.services.agents", "monitor436.services.greetings"),  # which answers them
    ("monitor436.services.greetings", "monitor436.services.event_log"),
    ("monitor436.services.agents", "monitor436.services.intake"),  # which takes the datagrams with events
    ("monitor436.services.door", "monitor436.services.keeper"),  # who says who may pass
    ("monitor436.services.intake", "monitor436.services.event_log"),  # the one road: an acknowledgement waits for it
    ("monitor436.services.liveness", "monitor436.services.event_log"),
    ("monitor436.services.polls", "monitor436.services.poll"),  # all of them are made of single ones
}

IMPURE = set(
    "asyncio fcntl ftplib glob http io logging mmap multiprocessing os pathlib random secrets select selectors shutil "
    "signal smtplib socket socketserver sqlite3 ssl subprocess tempfile threading time urllib uuid".split()
)  # clocks, files, sockets, dice
CLOCKS = {"now", "utcnow", "today"}

# The agent's resident memory is bounded: these cost most of it. The interpreter's own SHA-256 moved in 3.12.
HEAVY = set(
    "argparse asyncio concurrent contextlib ctypes dataclasses datetime decimal hashlib hmac http inspect "
    "logging multiprocessing pathlib pickle random shutil ssl subprocess tempfile threading traceback typing urllib "
    "uuid".split()
)
AGENT = ("tail", "match", "probe", "store", "link", "tools")  # rooms of the agent: imports among them point left


def is_resident(module: str) -> bool:
    """Whether it stays in memory with the agent: the door is a child, and the tools are commands of the agent file."""
    return not module.startswith("monitor436.agent.tools.") and module != "monitor436.agent.link.door"


STDLIB = {*sys.stdlib_module_names, "_sha2", "_sha256"}


class Import(NamedTuple):
    """One imported module; `late`: inside a function, `fallback`: where another import failed."""

    line: int
    target: str
    late: bool
    fallback: bool


def imports(tree: ast.Module, modules: set[str]) -> Iterator[Import]:
    """Every import of a module; `modules` says which names are modules of ours and not things in one."""

    def walk(node: ast.AST, late: bool, fallback: bool) -> Iterator[Import]:
        late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        fallback = fallback or isinstance(node, ast.ExceptHandler)
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(node.lineno, name.name, late, fallback)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for name in node.names:
                whole = f"{base}.{name.name}"
                thing = whole not in modules and whole != "twisted.internet.reactor"
                yield Import(node.lineno, base if thing else whole, late, fallback)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, late, fallback)

    return walk(tree, False, False)


def place(module: str) -> tuple[int, str]:
    """On which floor a module of ours stands, and in which room: a room's modules may import each other."""
    parts = module.split(".")
    if len(parts) == 1:
        return -1, module  # holds the version only
    for number, floor in enumerate(FLOORS):
        if parts[1] in floor.rooms:
            room = module if parts[1] == "services" else "doors" if number == DOORS else parts[1]
            return number, room
    return BLOCKS, module


def problems(module: str, source: str, modules: set[str]) -> list[str]:
    """What is wrong with where `module` reaches, one sentence each."""
    tree = ast.parse(source)
    found = []
    for line in imports(tree, modules):
        wrong = _wrong(module, line)
        if wrong:
            found.append(f"{module}:{line.line}: imports {line.target}: {wrong}")
    if place(module)[0] == 1:
        found += [f"{module}:{line}: {what}" for line, what in _touches(tree)]
    return found


def _wrong(module: str, line: Import) -> str:
    floor, room = place(module)
    top = line.target.split(".")[0]
    if top == "":
        return "imports are absolute"
    if top == "monitor436":
        below, there = place(line.target)
        if below == floor and there != room and (module, line.target) not in NEIGHBOURS:
            return "stands beside it"
        if below > floor:
            return "stands above it"
        if floor == 1 and below == 0 and line.target not in FOR_THE_MODEL:
            return "the model may use the agent's wire, plan and event only"
        if floor == 0 and is_resident(module) and not is_resident(line.target) and not line.late:
            return "would stay resident"
        if floor == 0 and not _points_left(module, line.target):
            return "stands to the right of it"
        return ""
    if line.target == "twisted.internet.reactor":
        return "" if floor == DOORS else "the reactor is an argument below the doors"
    if top in STDLIB:
        if floor == 0 and is_resident(module) and top in HEAVY and not line.fallback:
            return "costs memory on every host"
        return "no clocks, files or sockets in the model" if floor == 1 and top in IMPURE else ""
    allowed = {library for below in FLOORS[: floor + 1] for library in below.libraries}
    return "" if top in allowed else "that library has no place here"


def _points_left(module: str, target: str) -> bool:
    rooms = [name.split(".")[2] for name in (module, target) if len(name.split(".")) > 3]
    places = [AGENT.index(room) for room in rooms if room in AGENT]
    return len(places) < 2 or places[1] <= places[0]


def _touches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "open":
                yield node.lineno, "opens a file"
            if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                yield node.lineno, "looks at a clock"


def ours() -> dict[str, Path]:
    """Every module of the package and its file."""
    found = {}
    for path in sorted((ROOT / "monitor436").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


class LayerTests(unittest.TestCase):
    """The tree as it is."""

    def test_no_import_points_up_or_sideways(self) -> None:
        """All floors, all modules."""
        modules = ours()
        self.assertGreater(len(modules), 30)
        found = [
            wrong for name, path in modules.items() for wrong in problems(name, path.read_text("utf-8"), set(modules))
        ]
        self.assertEqual(found, [])

    def test_every_folder_of_the_package_has_a_floor(self) -> None:
        """A folder that FLOORS does not name would pass as a building block."""
        named = {room for floor in FLOORS for room in floor.rooms}
        folders = {path.parent.name for path in (ROOT / "monitor436").glob("*/__init__.py")}
        self.assertEqual(folders - named, set())

    def test_every_exception_is_still_needed(self) -> None:
        """An arrow that is gone leaves NEIGHBOURS too."""
        modules = ours()
        drawn = {
            (name, line.target)
            for name, path in modules.items()
            for line in imports(ast.parse(path.read_text("utf-8")), set(modules))
        }
        self.assertEqual(NEIGHBOURS - drawn, set())

    def test_a_running_agent_holds_no_heavy_module(self) -> None:
        """Counted in an interpreter as on a host: whatever stdlib modules import by themselves is seen too."""
        line = (
            "import sys; sys.path.insert(0, sys.argv[1]); import monitor436.agent.__main__, monitor436.agent.resident"
        )
        line += "; print(*sorted(sys.modules))"
        run = [sys.executable, "-I", "-S", "-c", line, str(ROOT)]
        held = set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())
        self.assertIn("selectors", held)
        self.assertIn("monitor436.agent.loop", held)
        self.assertEqual(held & HEAVY, set())
        self.assertTrue(all(is_resident(name) for name in held if name.startswith("monitor436.agent")))


class CheckerTests(unittest.TestCase):
    """The checks above on made-up modules: each rule can fail, and what is allowed passes."""

    def wrong(self, module: str, source: str) -> str:
        """What is told of a module with that source, in one text."""
        known = {"monitor436.bus", "monitor436.periodic", "monitor436.agent.link.door", "monitor436.agent.wire"}
        known |= {"monitor436.agent.match.block", "monitor436.agent.tail.gz"}
        return "\n".join(problems(module, source, known))

    def test_the_agent_takes_the_standard_library_only(self) -> None:
        """Not even msgspec."""
        self.assertIn("no place here", self.wrong("monitor436.agent.x", "import msgspec"))
        self.assertEqual(self.wrong("monitor436.agent.x", "import json, os\nfrom monitor436.agent import wire"), "")
        self.assertIn("stands above", self.wrong("monitor436.agent.x", "from monitor436.model.event import Event"))

    def test_the_agent_stays_small(self) -> None:
        """Heavy modules are seen in functions too; a fallback that another import spares is none."""
        self.assertIn("memory", self.wrong("monitor436.agent.x", "def f():\n    import subprocess"))
        self.assertIn("memory", self.wrong("monitor436.agent.x", "from typing import Any"))
        spared = "try:\n    import _sha256\nexcept ImportError:\n    import hashlib"
        self.assertEqual(self.wrong("monitor436.agent.x", spared), "")
        self.assertEqual(self.wrong("monitor436.agent.link.door", "import ssl"), "")
        late = "def f():\n    from monitor436.agent.link import door"
        self.assertEqual(self.wrong("monitor436.agent.x", late), "")
        self.assertIn("resident", self.wrong("monitor436.agent.x", "from monitor436.agent.link import door"))
        self.assertEqual(
            self.wrong("monitor436.agent.tools.x", "import ssl\nfrom monitor436.agent.link import door"), ""
        )

    def test_rooms_of_the_agent_have_an_order(self) -> None:
        """From the files that are read to the commands of an admin."""
        self.assertIn("to the right", self.wrong("monitor436.agent.tail.x", "from monitor436.agent.match import block"))
        self.assertEqual(self.wrong("monitor436.agent.match.x", "from monitor436.agent.tail import gz"), "")

    def test_the_model_is_told_the_time(self) -> None:
        """No clock, no file, no socket, no Twisted, and of the agent the shared modules only."""
        for impure in ("import time", "from os import path", "import socket", "import pathlib"):
            self.assertIn("no clocks, files", self.wrong("monitor436.model.x", impure))
        self.assertIn("no place here", self.wrong("monitor436.model.x", "from twisted.logger import Logger"))
        self.assertIn("no place here", self.wrong("monitor436.model.x", "import yaml"))
        self.assertIn("clock", self.wrong("monitor436.model.x", "from datetime import datetime\ndatetime.now()"))
        self.assertIn("file", self.wrong("monitor436.model.x", "open('x')"))
        self.assertIn("wire, plan", self.wrong("monitor436.model.x", "from monitor436.agent.store.spool import Spool"))
        good = (
            "import json\nfrom datetime import datetime\nfrom msgspec import Struct\nfrom monitor436.agent import wire"
        )
        self.assertEqual(self.wrong("monitor436.model.x", good), "")

    def test_blocks_and_services_do_not_know_each_other(self) -> None:
        """A name imported from the package is followed to the module it is."""
        self.assertIn("beside", self.wrong("monitor436.bus", "from monitor436 import periodic"))
        self.assertIn("beside", self.wrong("monitor436.services.x", "from monitor436.services.plans import Plans"))
        self.assertIn("above", self.wrong("monitor436.bus", "from monitor436.services.plans import Plans"))
        self.assertIn("beside", self.wrong("monitor436.probes.web.http", "from monitor436.storage import sqlite"))
        self.assertEqual(self.wrong("monitor436.probes.web.http", "from monitor436.probes import Result"), "")
        self.assertEqual(self.wrong("monitor436.services.x", "from monitor436.bus import EventBus\nimport treq"), "")

    def test_only_doors_import_the_reactor(self) -> None:
        """Both spellings; the modules beside it are for everybody."""
        for spelling in ("from twisted.internet import reactor", "import twisted.internet.reactor"):
            self.assertIn("argument", self.wrong("monitor436.application", spelling))
            self.assertEqual(self.wrong("monitor436.cli.x", spelling), "")
        self.assertEqual(self.wrong("monitor436.bus", "from twisted.internet import defer"), "")

    def test_imports_are_absolute(self) -> None:
        """A relative one would hide where it points."""
        self.assertIn("absolute", self.wrong("monitor436.bus", "from . import periodic"))
        self.assertIn("absolute", self.wrong("monitor436.bus", "from .periodic import Periodic"))
