"""The documents and the code: what one names the other has, in both directions."""

import ast
import configparser
import importlib
import json
import re
import shlex
import unittest
from collections.abc import Iterator
from pathlib import Path

import click

from monitor436.agent import __main__ as agent_file
from monitor436.agent import event as stated
from monitor436.agent import in_force, limits, plan, resident
from monitor436.agent import kinds as bounds
from monitor436.agent.basis import FIRST
from monitor436.agent.probe.readings import READINGS
from monitor436.agent.store import statement
from monitor436.binder import bind
from monitor436.cli import COMMANDS, main
from monitor436.model import event as kinds
from monitor436.model.audit import account, proof
from monitor436.model.plans.planbook import Planbook
from monitor436.model.server.troubles import LIMITS
from monitor436.model.settings.notify import Alertmanager, Command, Mail, Syslog, Webhook
from monitor436.model.settings.whole import Settings
from monitor436.model.source import Source
from monitor436.yaml_source import compose
from tests.faults import chaos

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "monitor436"
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
HELP = {"-h", "--help"}


def read(name: str) -> str:
    """A document."""
    return (ROOT / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert found, f"no section {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of all tables in `text`, without heads and rules."""
    found = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return [row for number, row in enumerate(found) if not _head(found, number)]


def _head(found: list[list[str]], number: int) -> bool:
    rule = re.compile(r"-+")
    return any(at < len(found) and all(rule.fullmatch(cell) for cell in found[at]) for at in (number, number + 1))


def ticked(text: str) -> list[str]:
    """What stands in back-quotes within a line."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command
            inner: dict[str, click.Command] = getattr(command, "inner", dict)()
            yield from ((" ".join((*path, name, word)), each) for word, each in inner.items())


def options(command: click.Command) -> set[str]:
    """The options of a command, long and short."""
    return {each for param in command.params if isinstance(param, click.Option) for each in param.opts}


class ArchitectureTests(unittest.TestCase):
    """ARCHITECTURE.md."""

    def test_every_module_has_its_room_and_every_room_is_there(self) -> None:
        """Once. A package whose own module holds something is a room too."""
        rooms = [name for row in rows(section(read("ARCHITECTURE.md"), "Rooms")) for name in ticked(row[1])]
        modules = set()
        for path in PACKAGE.rglob("*.py"):
            room = path.relative_to(PACKAGE).with_suffix("")
            if room.name != "__init__":
                modules.add(str(room))
            elif any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text("utf-8")).body):
                modules.add(str(room.parent))
        self.assertEqual(set(rooms), modules - {"."})
        self.assertEqual(len(rooms), len(set(rooms)))

    def test_every_room_that_is_mentioned_is_there(self) -> None:
        """`services/agents` and the like, anywhere in the text."""
        for page in PAGES:
            for name in ticked(page.read_text("utf-8")):
                if re.fullmatch(r"(agent|model|services|cli|demo)/[a-z_/]+(\.py)?", name):
                    path = PACKAGE / name
                    self.assertTrue(path.with_suffix(".py").exists(), f"{page.name}: {name}")

    def test_every_required_library_has_its_reason(self) -> None:
        """Those of setup.cfg."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        required = re.findall(r"^\s*([a-z0-9.]+)", setup["options"]["install_requires"], re.M)
        named = [ticked(row[0])[0] for row in rows(section(read("ARCHITECTURE.md"), "What it stands on"))]
        self.assertEqual(sorted(named), sorted(required))

    def test_it_stays_short(self) -> None:
        """It is read whole, or not at all."""
        self.assertLess(read("ARCHITECTURE.md").count("\n"), 160)


class EventTests(unittest.TestCase):
    """docs/events.md."""

    def test_every_kind_is_explained_as_the_catalogue_does(self) -> None:
        """The last cell of a row is the catalogue's sentence."""
        told = {ticked(row[0])[0]: row[-1] for row in rows(section(read("docs/events.md"), "Kinds"))}
        self.assertEqual(told, kinds.KINDS)

    def test_every_kind_is_stated_by_some_module(self) -> None:
        """Its constant is used outside the catalogue."""
        used = set()
        for path in PACKAGE.rglob("*.py"):
            if path.name != "event.py":
                for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                    used.add(node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", ""))
        constants = {**_constants(kinds), **_constants(stated)}
        self.assertEqual(set(constants.values()), set(kinds.KINDS))
        self.assertEqual(constants.keys() - used, set())

    def test_the_kinds_of_hosts_are_in_the_catalogue(self) -> None:
        """An agent states nothing that the server does not know."""
        self.assertLess(set(_constants(stated).values()), set(kinds.KINDS))
        self.assertIn("LOG_LINE", _constants(stated))

    def test_the_keys_of_a_line_are_told_in_their_order(self) -> None:
        """As they stand in the file."""
        told = [ticked(row[0])[0] for row in rows(section(read("docs/events.md"), "A line"))]
        self.assertEqual(told, list(kinds.Event.__struct_fields__))

    def test_the_lines_shown_are_events(self) -> None:
        """Of known kinds, with their keys in order, in whatever document."""
        shown = "".join(block for page in PAGES for block in blocks(page.read_text("utf-8"), "json"))
        events = [line for line in shown.splitlines() if line.startswith('{"time"')]
        self.assertGreater(len(events), 5)
        order = list(kinds.Event.__struct_fields__)
        for line in events:
            self.assertIn(kinds.read_line(line.encode()).kind, kinds.KINDS)
            places = [order.index(key) for key in json.loads(line)]
            self.assertEqual(places, sorted(places), line)

    def test_every_trouble_of_a_server_is_told(self) -> None:
        """And no other."""
        told = [ticked(row[0])[0] for row in rows(section(read("docs/events.md"), "The server's own troubles"))]
        self.assertEqual(sorted(told), sorted(LIMITS))

    def test_the_defaults_it_speaks_of_are_those_of_the_settings(self) -> None:
        """Rotation."""
        text = section(read("docs/events.md"), "Rotation")
        kept = Settings().events
        self.assertIn(f"`events.rotate_at` ({kept.rotate_at >> 20} MiB)", text)
        self.assertIn(f"`events.rotate_every` ({kept.rotate_every / 86400:g} day)", text)
        self.assertIn(f"`events.keep` ({kept.keep})", text.replace("\n", " "))


def _constants(module: object) -> dict[str, str]:
    """The kinds that a module has constants for, by their names."""
    named = vars(module).items()
    return {name: value for name, value in named if name.isupper() and isinstance(value, str) and value.islower()}


class PlanTests(unittest.TestCase):
    """docs/plans.md."""

    text = read("docs/plans.md")
    headings = {"log": "Log checks", "process": "Process checks", "command": "Command checks", "reading": "Readings"}

    def kind_rows(self, kind: str) -> dict[str, list[str]]:
        """The rows about the keys of one kind of check."""
        found = rows(section(self.text, self.headings[kind]))
        keys = [(ticked(row[0]), row) for row in found if re.match(r"`[a-z_0-9]+`", row[0]) and len(row) == 3]
        return {names[0]: row for names, row in keys if not set(names) & set(READINGS)}

    def test_every_key_of_every_kind_is_told(self) -> None:
        """And no other."""
        self.assertEqual(set(self.headings), set(plan.KINDS))
        for kind, known in plan.KINDS.items():
            self.assertEqual(set(self.kind_rows(kind)), set(known.fields), kind)

    def test_every_reading_is_told_with_what_it_needs(self) -> None:
        """The second cell says what its `of` is."""
        found = rows(section(self.text, "Readings"))
        told = {name: row for row in found for name in ticked(row[0]) if name in READINGS}
        self.assertEqual({name: row[1] for name, row in told.items()}, {name: READINGS[name].of for name in READINGS})

    def test_durations_keep_the_bounds_that_are_told(self) -> None:
        """Both ends are taken, and nothing beyond them."""
        told = [(key, row[2], kind) for kind in self.headings for key, row in self.kind_rows(kind).items()]
        top = rows(self.text.partition("## What every check can have")[0])
        told += [(ticked(row[0])[0], row[2], "") for row in top]
        tried = []
        for key, says, kind in told:
            bounds = re.match(r"(\d+[a-z]+) to (\d+[a-z]+)", says)
            if bounds:
                least, most = map(plan.seconds, bounds.groups())
                self.assertTrue(_taken(kind, key, least) and _taken(kind, key, most), (kind, key))
                self.assertFalse(_taken(kind, key, least * 0.99) or _taken(kind, key, most * 1.01), (kind, key))
                tried.append(key)
        self.assertEqual(sorted(tried), ["absent", "beat", "count", *["every"] * 3, "late", *["timeout"] * 2])

    def test_defaults_are_those_that_are_told(self) -> None:
        """Where a default is a duration or a word."""
        checked = plan.read({"checks": [_check(kind) for kind in self.headings]}).checks
        tried = []
        for kind, check in zip(self.headings, checks_of(checked), strict=True):
            for key, row in self.kind_rows(kind).items():
                if re.fullmatch("`[^`]*`", row[1]):
                    told = ticked(row[1])[0]
                    meant = {"severity": str, "after": lambda bad: (int(bad), int(bad))}.get(key, plan.seconds)
                    self.assertEqual(check[key], meant(told), (kind, key))
                    tried.append(key)
        self.assertEqual(sorted(tried), [*["after"] * 3, *["every"] * 3, *["severity"] * 2, *["timeout"] * 2])

    def test_numbers_told_are_those_of_the_code(self) -> None:
        """Checks, names, patterns, tags, words."""
        for told in (
            f"at most {bounds.MAX_NAME} bytes",
            f"At most {plan.MAX_CHECKS} for a host",
            f"one to {bounds.MAX_PATTERNS} regular expressions (Python's, at most {bounds.MAX_PATTERN} characters)",
            f"at most {bounds.MAX_TAGS} of at most {bounds.MAX_TAG} letters",
            f"1 to {bounds.MAX_WORDS} words of at most {bounds.MAX_WORD:,} characters",
        ):
            self.assertIn(told, self.text)

    def test_every_plan_shown_is_a_good_plan(self) -> None:
        """In all documents; a check on its own is one too, once its checks are around it."""
        shown = [(page.name, block) for page in PAGES for block in blocks(page.read_text("utf-8"), "yaml")]
        self.assertGreater(len(shown), 4)
        included = compose("checks: {}", "common/data-disk.yaml")
        for page, block in shown:
            if block.partition(":")[0] in Settings.__struct_fields__:
                bind(compose(block, page), Settings, "")
                continue
            written = block if re.search(r"^\w+:", block, re.M) else "checks:\n" + block
            sources: dict[str, Source] = {"all.yaml": compose(written, page), "common/data-disk.yaml": included}
            self.assertGreater(Planbook(sources).size()[1], 0, page)


def checks_of(checked: tuple[object, ...]) -> list[dict[str, object]]:
    """Checks as mappings of their fields."""
    return [check._asdict() for check in checked]  # type: ignore[attr-defined]


def _check(kind: str, **more: object) -> dict[str, object]:
    """A good check of a kind."""
    needed: dict[str, dict[str, object]] = {
        "log": {"log": "/var/log/syslog", "match": "x"},
        "process": {"process": "nginx"},
        "command": {"command": ["df"]},
        "reading": {"reading": "load1", "warning": "above 1"},
    }
    return {"name": kind, **needed[kind], **more}


def _taken(kind: str, key: str, value: float) -> bool:
    """Whether a plan with this duration is good; "" for the plan itself."""
    if kind:
        tree: dict[str, object] = {"checks": [_check(kind, **{key: value})]}
    else:
        tree = {"beat": 0.1 if key == "late" else value, key: value}
    try:
        plan.read(tree)
    except plan.PlanError:
        return False
    return True


class AgentTests(unittest.TestCase):
    """docs/agent.md and the systemd units."""

    text = read("docs/agent.md")
    sections = {
        "": "Options",
        "event": "Events from scripts",
        "check": "Try a plan",
        "match": "Try rules",
        "doctor": "If it does not appear",
        "install": "Install",
        "uninstall": "Uninstall",
    }

    def test_every_option_is_told(self) -> None:
        """Of the agent and of its commands, on the page and in the help; those that take a value show one."""
        modules = {
            word: importlib.import_module(f"monitor436.agent.{name}") for word, name in agent_file.COMMANDS.items()
        }
        self.assertEqual(self.sections.keys(), {"", *modules})
        for word, heading in self.sections.items():
            module = modules.get(word, resident)
            told = [ticked(row[0])[-1] for row in rows(section(self.text, heading)) if "`--" in row[0]]
            found = {each.split()[0][2:] + ("=" if " " in each else "") for each in told}
            self.assertEqual(found, set(module.OPTIONS), heading)
            for option in found - {"help"}:
                self.assertRegex(module.USAGE, rf"--{option.rstrip('=')}\b", heading)

    def test_the_policies_are_told(self) -> None:
        """With a paragraph each."""
        for option in ("commands", "logs"):
            self.assertIn(f"`--{option} " + "\\|".join(limits.POLICIES) + "`", self.text)
            for policy in limits.POLICIES:
                self.assertIn(f"- `--{option} {policy}`:", self.text)

    def test_new_lists_are_shown_as_they_are(self) -> None:
        """Word for word."""
        for first in (limits.FIRST_COMMANDS, limits.FIRST_LOGS):
            self.assertIn(first, blocks(self.text, "text"))

    def test_every_finding_of_the_doctor_is_told(self) -> None:
        """Those that are in the way, by the word that programs get."""
        told = {word for row in rows(section(self.text, "If it does not appear")) for word in ticked(row[0])}
        source = "".join(
            (PACKAGE / "agent/tools" / f"{name}.py").read_text("utf-8") for name in ("doctor", "diagnosis")
        )
        words = set(re.findall(r'Finding\((?:NOTE if named else )?BAD, "(\w*[a-z])"', source))
        outcomes = {"silent", "closed", "unreachable"}
        words |= {f"udp_{each}" for each in outcomes} | {f"tcp_{each}" for each in outcomes | {"odd", "foreign"}}
        self.assertGreater(len(words), 12)
        self.assertEqual(words - told, set())
        self.assertEqual({each for each in told if re.match(r"(udp|tcp)_", each)} - words, set())

    def test_the_files_of_the_state_folder_are_told(self) -> None:
        """Those that the code names."""
        told = [ticked(row[0])[0] for row in rows(section(self.text, "What it keeps"))]
        self.assertEqual(
            sorted(told),
            sorted([*FIRST, in_force.FILE, f"{statement.FOLDER}/", "ask", "identity.json", "lock", "spool/"]),
        )
        source = "".join(path.read_text("utf-8") for path in (PACKAGE / "agent").rglob("*.py"))
        for name in ("identity.json", "lock", "spool"):
            self.assertIn(f'path("{name}")', source)

    def test_the_units_start_commands_that_exist(self) -> None:
        """With options that exist."""
        agent = _unit("monitor436-agent.service")["Service"]["ExecStart"].split()
        self.assertEqual(Path(agent[0]).name, "agent436.pyz")
        self.assertLessEqual({each[2:] + "=" for each in agent[1:] if each.startswith("--")}, set(resident.OPTIONS))
        server = _unit("monitor436-server.service")["Service"]["ExecStart"].split()
        self.assertEqual(command_slips(["monitor436", *server[1:]]), [])

    def test_the_units_and_the_page_speak_of_the_same_places(self) -> None:
        """Where the agent file lies, and where the server lives."""
        agent, server = _unit("monitor436-agent.service"), _unit("monitor436-server.service")
        self.assertIn(f"copies the file to `{agent['Service']['ExecStart'].split()[0]}`", self.text)
        self.assertIn(f"by default `{agent['Service']['User']}`", self.text)
        self.assertIn(f"monitor436 init {server['Service']['WorkingDirectory']}\n", self.text)
        self.assertIn(f"useradd --system --home-dir /srv/monitor436 {server['Service']['User']}\n", self.text)


def _unit(name: str) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "etc" / "systemd" / name)
    return unit


def command_slips(words: list[str]) -> list[str]:
    """What is wrong with a command line of monitor436: words and options that do not exist."""
    known = dict(leaves(main))
    named = [path for path in known if words[1 : 1 + len(path.split())] == path.split()]
    path = max(named, key=len, default="")
    if not path:
        return [] if set(words[1:]) <= HELP | {"--version", "COMMAND"} else [" ".join(words)]
    taken = options(known[path]) | HELP | {"-"}
    return [word for word in words[1:] if word.startswith("-") and word not in taken]


class CommandTests(unittest.TestCase):
    """docs/commands.md, and the command lines in every document."""

    text = read("docs/commands.md")

    def test_every_command_has_a_section_with_an_example(self) -> None:
        """The example is of that command."""
        headings = re.findall(r"^## monitor436 (.+)$", self.text, re.M)
        self.assertEqual(headings, [path for path, _ in leaves(main)])
        self.assertEqual({heading.split()[0] for heading in headings}, set(COMMANDS))
        for heading in headings:
            examples = blocks(section(self.text, f"monitor436 {heading}"), "sh")
            self.assertTrue(examples and examples[0].startswith(f"monitor436 {heading}"), heading)

    def test_the_help_of_every_command_has_an_example(self) -> None:
        """Of that command, which would be taken."""
        for path, command in leaves(main):
            shown = [line.strip() for line in (command.help or "").splitlines()]
            found = [line for line in shown if re.search(rf"(^| )monitor436 {path}( |$)", line)]
            self.assertTrue(found, path)
            for part in re.findall(rf"monitor436 {path}[^|&#>\n]*", "\n".join(found)):
                self.assertEqual(command_slips(shlex.split(part)), [], path)

    def test_every_option_of_a_command_is_told_and_no_other(self) -> None:
        """Long and short."""
        for path, command in leaves(main):
            told = rows(section(self.text, f"monitor436 {path}"))
            names = {each.split()[0] for row in told for each in ticked(row[0])}
            self.assertEqual(names, options(command), path)

    def test_every_command_line_shown_would_be_taken(self) -> None:
        """In shell blocks and in the text."""
        tried = 0
        for page in PAGES:
            text = page.read_text("utf-8")
            lines = [line for block in blocks(text, "sh") for line in block.splitlines()] + ticked(text)
            for line in lines:
                for part in re.split(r"&&|;|\|", line.partition(" #")[0]):
                    if re.match(r"\s*(\S*/)?monitor436 \S", part):
                        self.assertEqual(command_slips(shlex.split(part)), [], f"{page.name}: {line}")
                        tried += 1
        self.assertGreater(tried, 20)

    def test_a_wrong_command_line_is_noticed(self) -> None:
        """The check above can fail."""
        self.assertEqual(command_slips(["monitor436", "tail", "-f", "--colour"]), ["--colour"])
        self.assertEqual(command_slips(["monitor436", "agent", "pack", "-o", "x"]), [])
        self.assertEqual(command_slips(["monitor436", "agents", "pack"]), ["monitor436 agents pack"])


class SettingsTests(unittest.TestCase):
    """docs/settings.md, and settings in every document."""

    def test_every_setting_that_is_mentioned_is_one(self) -> None:
        """`events.keep` and the like."""
        top = Settings()
        sections = {name: getattr(getattr(top, name), "__struct_fields__", ()) for name in top.__struct_fields__}
        tried = 0
        for page in PAGES:
            for name in ticked(page.read_text("utf-8")):
                first, dot, second = name.partition(".")
                if (
                    dot
                    and first in sections
                    and re.fullmatch(r"[a-z_]+", second)
                    and second not in ("json", "jsonl", "md")
                ):
                    self.assertIn(second, sections[first], f"{page.name}: {name}")
                    tried += 1
        self.assertGreater(tried, 8)

    def test_every_setting_of_every_notifier_is_told(self) -> None:
        """docs/notifications.md: the settings file shows none, as their names are the author's."""
        told = {
            row[0].strip("` "): row for row in rows(section(read("docs/notifications.md"), "Ways")) if len(row) == 3
        }
        for kind, made in (
            ("mail", Mail),
            ("webhook", Webhook),
            ("command", Command),
            ("alertmanager", Alertmanager),
            ("syslog", Syslog),
        ):
            named = ticked(re.sub(r", such as `[^`]*`", "", " ".join(told[kind][1:])))
            self.assertEqual(sorted(named), sorted(made.__struct_fields__), kind)


class ReliabilityTests(unittest.TestCase):
    """docs/reliability.md."""

    def test_every_fault_that_is_tried_is_told(self) -> None:
        """And no other."""
        told = [
            name for row in rows(section(read("docs/reliability.md"), "What is tried")) for name in row[0].split("; ")
        ]
        self.assertEqual(sorted(told), sorted(kind.name for kind in chaos.KINDS))

    def test_every_flaw_and_gap_of_verify_is_told(self) -> None:
        """And no other."""
        flaws = (account.DOUBLED, account.DISORDER, proof.MISSING, proof.UNTOLD, proof.UNMARKED, proof.DIFFERS)
        told = [ticked(row[0])[0] for row in rows(section(read("docs/reliability.md"), "What verify tells"))]
        self.assertEqual(sorted(told), sorted((*flaws, *re.findall(r'Gap\("(\w+)"', Path(proof.__file__).read_text()))))


class LinkTests(unittest.TestCase):
    """From page to page."""

    def test_every_link_leads_somewhere(self) -> None:
        """Files, and headings in them."""
        tried = 0
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
                if not target.startswith("https://"):
                    name, _, anchor = target.partition("#")
                    path = page.parent / name if name else page
                    self.assertTrue(path.exists(), f"{page.name}: {target}")
                    if anchor:
                        self.assertIn(anchor, _anchors(path.read_text("utf-8")), f"{page.name}: {target}")
                    tried += 1
        self.assertGreater(tried, 10)

    def test_every_page_is_reached_from_the_readme(self) -> None:
        """Directly."""
        linked = set(re.findall(r"\]\(docs/([^)#\s]+)\)", read("README.md")))
        self.assertEqual(linked, {path.name for path in (ROOT / "docs").glob("*.md")})


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
