"""The settings of a server, their defaults, and the file that explains them all."""

import re
import unittest
from pathlib import Path

from msgspec import Struct, structs
from msgspec.inspect import StructType, type_info

from monitor436.binder import bind, load
from monitor436.model.settings.events import Events
from monitor436.model.settings.hosts import Agents, Beacon, Heartbeat, Plans
from monitor436.model.settings.http import Http
from monitor436.model.settings.metrics import Metrics
from monitor436.model.settings.polls import Poll
from monitor436.model.settings.redis import Redis
from monitor436.model.settings.rendered import render
from monitor436.model.settings.status import Status
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError
from monitor436.yaml_source import compose

FILE = Path(__file__).parent.parent.parent / "etc" / "monitor436.yaml"


def settings(text: str) -> Settings:
    """Settings out of YAML text, with paths as written."""
    return bind(compose(text, "s.yaml"), Settings, "")


class DefaultTests(unittest.TestCase):
    def test_an_empty_file_gives_every_default(self) -> None:
        """So a server needs no settings file of any length."""
        self.assertEqual(settings(""), Settings())

    def test_the_defaults_are_those_of_the_protocol(self) -> None:
        """Ports, group and periods that agents, firewalls and documents agree on."""
        default = Settings()
        self.assertEqual((default.agents.port, default.plans.port, default.beacon.port), (4360, 4360, 4361))
        self.assertEqual((default.heartbeat.every, default.heartbeat.late, default.heartbeat.pings), (5.0, 15.0, 3))
        self.assertEqual(default.beacon.multicast, "239.255.4.36")
        self.assertEqual((default.events.rotate_at, default.events.rotate_every), (64 << 20, 86400.0))

    def test_ports_may_be_any_free_one(self) -> None:
        """0, for tests and the demo; then two of them are no clash."""
        chosen = settings("agents: {port: 0}\nplans: {port: 0}\nbeacon: {port: 0}\n")
        self.assertEqual((chosen.agents.port, chosen.plans.port, chosen.beacon.port), (0, 0, 0))


class RenderTests(unittest.TestCase):
    def test_the_file_that_comes_with_the_program_is_the_rendering_of_the_defaults(self) -> None:
        """By: python -c 'from monitor436.model.settings.rendered import *; print(render(Settings()), end="")'."""
        self.assertEqual(FILE.read_text(), render(Settings()))

    def test_that_file_gives_the_defaults(self) -> None:
        """As written, and with its paths joined to its folder."""
        self.assertEqual(settings(FILE.read_text()), Settings())
        self.assertEqual(load(str(FILE), Settings), bind(compose("", "f"), Settings, str(FILE.parent)))

    def test_every_setting_has_one_line_of_why(self) -> None:
        """In the type, so that the file, the schema and the manual say the same."""
        sections = [type_info(Settings)]
        for section in sections:
            for field in section.fields:  # type: ignore[attr-defined]
                why = field.type.extra_json_schema["description"]
                self.assertRegex(why, r"\A[^\n]{10,110}[.)]\Z", field.name)
                if isinstance(field.type.type, StructType):
                    sections.append(field.type.type)
        self.assertGreater(len(sections), 6)

    def test_every_setting_stands_in_the_file_once_below_its_why(self) -> None:
        """One comment line, then the setting."""
        text = FILE.read_text()
        for section in (Settings, Agents, Plans, Beacon, Heartbeat, Events, Http, Redis, Metrics, Status):
            for name in section.__struct_fields__:
                self.assertRegex(text, rf"(?m)^ *# .*\n *({name}:|# {name}: FILE$)")
        self.assertNotIn("\t", text)
        self.assertLess(max(map(len, text.splitlines())), 121)

    def test_settings_other_than_the_defaults_are_read_back_equal(self) -> None:
        """Text that YAML would take for something else is quoted."""
        changed: list[Settings] = [
            structs.replace(Settings(), name="no", state="/a b/#c: d"),
            structs.replace(Settings(), name="1.10", state='"'),
            structs.replace(Settings(), beacon=Beacon(to=("10.0.0.255", "::1"), multicast="", every=0.5)),
            structs.replace(Settings(), heartbeat=Heartbeat(every=90.0, late=3600.0, unknown_after=7200.0)),
            structs.replace(Settings(), events=Events(rotate_at=12345, file="größe", rotate_every=90061.0)),
            structs.replace(Settings(), polls={"a-1": Poll(targets=("web1", "http://x/y"), headers={"X": ": #"})}),
            structs.replace(
                Settings(), polls={"no": Poll(inventory="i.txt", insecure=True), "b": Poll(targets=("w",))}
            ),
            structs.replace(Settings(), plans=Plans(join="closed", check_every=0.25), agents=Agents(address="::")),
        ]
        for each in changed:
            self.assertEqual(settings(render(each)), each)


class AcrossFieldsTests(unittest.TestCase):
    def refused(self, text: str, problem: str) -> None:
        """YAML text has just this problem."""
        with self.assertRaises(SettingsError) as caught:
            settings(text)
        self.assertEqual(str(caught.exception), problem)

    def test_late_is_at_least_twice_every(self) -> None:
        """One lost datagram must not make a host late. The problem stands where late does, or where it would."""
        says = "heartbeat.late: must be at least twice every, which is 10s; it is 15s"
        self.refused("heartbeat:\n  late: 15s\n  every: 10s\n", f"s.yaml:2:9: {says}")
        self.refused("heartbeat:\n  every: 10s\n", f"s.yaml:1:1: {says}")
        self.assertEqual(settings("heartbeat: {every: 10s, late: 20s}").heartbeat.late, 20.0)

    def test_agents_and_beacons_need_two_ports(self) -> None:
        """Both are UDP, and a server's machine has an agent too."""
        says = "s.yaml:1:16: beacon.port: must differ from agents.port, which is 4360 (both are UDP)"
        self.refused("beacon: {port: 4360}", says)


class FrozenTests(unittest.TestCase):
    def test_settings_do_not_change(self) -> None:
        """A service may keep them."""
        section: Struct
        for section in (Settings(), Agents(), Plans(), Beacon(), Heartbeat(), Events()):
            with self.assertRaisesRegex(AttributeError, re.escape("immutable")):
                setattr(section, section.__struct_fields__[0], "x")
