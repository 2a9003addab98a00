"""People are told: by a real mail server and HTTP receiver, Debian's Alertmanager, syslog; once, over restarts."""

import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import sys
import unittest
import urllib.request
from collections import Counter
from typing import Any

import pytest
from msgspec import structs

from monitor436.model.settings.hosts import Heartbeat
from monitor436.model.settings.notify import Alertmanager, Command, Mail, Notify, Route, Syslog, Webhook
from monitor436.model.settings.status import Status
from monitor436.model.settings.whole import Settings
from monitor436.notifiers.spool import Spool
from monitor436.services.notifications import NOTICES
from tests.e2e.patience import eventually
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.processes import ROOT, Process
from tests.e2e.receiver import PASSWORD, USER
from tests.e2e.receivers import NAME, Receiver, make_certificate
from tests.e2e.servers import LOG_PLAN, SOON, Server, on_loopback
from tests.e2e.stage import Stage

HOSTS = 200
PACE = Heartbeat(every=0.5, late=4.0, pings=1, isolated_hold=1.0)
SECRET = "between us"
HOSTILE = "line <b onmouseover=alert(1)>\x1b[31m\x07 \u202egnp.exe\u2066 {subject} \\r\\nBcc: eve@example.net\r.\r %s%n"
ALERTMANAGER = shutil.which("prometheus-alertmanager")


class Told(Stage):
    """A receiver that can be away, and settings that lead to it."""

    def setUp(self) -> None:
        super().setUp()
        self.receiver = Receiver(self.folder)
        self.addCleanup(self.receiver.kill)
        (self.folder / "password").write_bytes(PASSWORD + b"\n")
        (self.folder / "secret").write_text(SECRET + "\n")

    def by_mail_and_post(self) -> dict[str, Any]:
        """The settings of both."""
        mail = Mail(
            to=("ops@example.net",),
            sender="monitor436@example.net",
            host=NAME,
            port=self.receiver.mails,
            ca=str(self.receiver.certificate),
            user=USER.decode(),
            password_file=str(self.folder / "password"),
        )
        url = f"http://{LOOPBACK}:{self.receiver.requests}/"
        return {"mail": {"ops": mail}, "webhook": {"hook": Webhook(url=url, secret_file=str(self.folder / "secret"))}}

    def telling(self, notify: Notify, heartbeat: Heartbeat = PACE, status: Status | None = None) -> Server:
        """A server that tells, not started yet."""
        settings: Settings = structs.replace(on_loopback(), heartbeat=heartbeat, notify=notify)
        return self.server(structs.replace(settings, status=status or settings.status))

    def hosts(self, server: Server, count: int, first: int = 0) -> Process:
        """So many hosts in one process, by the names h00000 …, or from another number on."""
        told, settings = self.folder / f"fleet-{first}.json", server.settings
        words = [server.var / "site", settings.agents.port, settings.beacon.port, count, PACE.every, told, first]
        script = ROOT / "tests" / "e2e" / "fleet.py"
        fleet = Process([sys.executable, script, *map(str, words)], self.folder / f"fleet-{first}.log")
        self.addCleanup(fleet.kill)
        return fleet

    def items(self, what: str) -> list[str]:
        """What the HTTP receiver was told of, each time."""
        documents = [json.loads(post["body"]) for post in self.receiver.posts()]
        return [item["host"] or item["check"] for each in documents for item in each["items"] if item["what"] == what]


class NotificationTests(Told):
    """By mail, by HTTP, by syslog."""

    def test_an_outage_of_200_hosts_is_one_mail_and_every_recovery_is_told_once_over_restarts(self) -> None:
        """The receivers are away at first, and the server is killed, and then stopped, in the middle."""
        routes = {"hosts": Route(to=("ops", "hook"), severity="critical")}
        server = self.telling(Notify(**self.by_mail_and_post(), routes=routes, group_wait=0.5)).start()
        fleet = self.hosts(server, HOSTS)
        eventually(lambda: len(server.events(kind="host_found")) == HOSTS, SOON, "all are found")
        self.receiver.start("refuse")
        fleet.send(signal.SIGSTOP)
        eventually(lambda: len(server.events(kind="host_down")) == HOSTS, SOON, "all are down")
        eventually(lambda: len(server.events(kind="notify_failed")) == 2, SOON, "nobody could be told")
        server.kill()
        self.receiver.kill()
        self.receiver.start()
        server.start()
        eventually(lambda: self.receiver.mail() and self.receiver.posts(), SOON, "both are told")
        fleet.send(signal.SIGCONT)
        eventually(lambda: len(server.events(kind="host_up")) > 0, 2 * SOON, "the first is back")
        server.stop()
        server.start()
        eventually(lambda: len(self.items("recovery")) >= HOSTS + 1, 2 * SOON, "every recovery is told")
        eventually(lambda: len(self.receiver.mail()) == len(self.receiver.posts()), SOON, "by mail as well")
        self.assertEqual(self.items("alarm"), ["isolation"])
        wanted = Counter({f"h{number:05}": 1 for number in range(HOSTS)}) + Counter({"isolation": 1})
        self.assertEqual(Counter(self.items("recovery")), wanted)
        self.assertLess(len(self.receiver.posts()), 12)
        self.look_at_one()

    @pytest.mark.alone
    def test_a_switch_with_200_hosts_behind_it_is_one_alarm_and_every_recovery_over_kills(
        self,
    ) -> None:
        """They are fewer than a third of all hosts, so that nothing but `status.depends` holds their alarms back.

        The server is killed before it has told, and again in the middle of the recoveries.
        """
        routes = {"hosts": Route(to=("ops", "hook"), severity="critical")}
        behind = Status(depends={"switch1": ("h000*", "h001*")})
        server = self.telling(Notify(**self.by_mail_and_post(), routes=routes, group_wait=3.0), status=behind).start()
        self.receiver.start()
        self.hosts(server, 2 * HOSTS + 50, first=1000)
        fleet, switch = self.hosts(server, HOSTS), self.agent(server, "switch1").start()
        eventually(lambda: len(server.events(kind="host_found")) == 3 * HOSTS + 51, SOON, "all are found")
        for each in (fleet, switch):
            each.send(signal.SIGSTOP)
        eventually(lambda: len(server.events(kind="host_down")) == HOSTS + 1, SOON, "all are down")
        server.kill()
        server.start()
        eventually(lambda: self.receiver.mail() and self.receiver.posts(), SOON, "both are told")
        spool = Spool(server.var / NOTICES)  # what it has handed over and not noted yet, it tells again after a kill
        eventually(lambda: not spool.read().owed, SOON, "it has noted that both are told")
        for each in (switch, fleet):
            each.send(signal.SIGCONT)
        eventually(lambda: len(server.events(kind="host_up")) > 0, SOON, "the first is back")
        server.kill()
        server.start()
        eventually(lambda: len(self.items("recovery")) > HOSTS, SOON, "every recovery is told")
        eventually(lambda: len(self.receiver.mail()) == len(self.receiver.posts()), SOON, "by mail as well")
        self.assertEqual(self.items("alarm"), ["switch1"])
        [alarm] = json.loads(self.receiver.posts()[0]["body"])["items"]
        names = {f"h{number:05}" for number in range(HOSTS)}
        self.assertEqual((set(alarm["behind"]), len(alarm["behind"])), (names, HOSTS))
        self.assertEqual(Counter(self.items("recovery")), Counter(dict.fromkeys([*names, "switch1"], 1)))
        self.assertEqual(server.events(kind="isolated"), [])
        self.assertIn(f"{HOSTS} hosts behind it", self.receiver.mail()[0].get_content())

    def look_at_one(self) -> None:
        """Of each kind."""
        post = self.receiver.posts()[0]
        stamp, _, proof = post["headers"]["x-monitor436-signature"].partition(",")
        signed = f"{stamp.removeprefix('t=')}.{post['body']}".encode()
        self.assertEqual(proof, "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest())
        keys = [each["headers"]["idempotency-key"] for each in self.receiver.posts()]
        self.assertEqual(len(keys), len(set(keys)))
        mail = self.receiver.mail()[0]
        self.assertEqual((mail["to"], mail["from"]), ("ops@example.net", "monitor436@example.net"))
        self.assertIn("fell silent at once", mail["subject"])

    def test_hostile_texts_are_harmless_in_mail_in_syslog_and_on_the_terminal(self) -> None:
        """Markup, escapes, marks of direction, ends of lines."""
        self.receiver.start()
        syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(syslog.close)
        syslog.bind(str(self.folder / "log"))
        syslog.settimeout(SOON)
        local = {"log": Syslog(path=str(self.folder / "log"))}
        routes = {"hosts": Route(to=("ops", "hook", "log"), hosts=("h*",))}  # a busy machine is a trouble of the server
        notify = Notify(**self.by_mail_and_post(), syslog=local, routes=routes, group_wait=0.5)
        server = self.telling(notify, structs.replace(PACE, late=20.0)).start()
        agent = self.agent(server, "h1")
        server.plan(LOG_PLAN.format(hosts="h1", log=agent.log) + "    severity: critical\n")
        agent.start()
        server.follows("h1")
        agent.write([HOSTILE])
        line = syslog.recv(65536).decode()
        eventually(lambda: self.receiver.mail() and self.receiver.posts(), SOON, "both are told")
        mail = self.receiver.mail()[0]
        self.assertEqual(mail["to"], "ops@example.net")
        self.assertIsNone(mail["bcc"])
        body, subject = mail.get_content(), mail["subject"]
        status, shown = server.command("tail", "-n", "100")
        for text in (line, subject, shown, *body.splitlines()):
            flat = text.replace("\n", "")
            self.assertTrue(flat.isprintable(), repr(flat))
        self.assertEqual(status, 0)
        self.assertIn("\\u202e", line)
        self.assertRegex(
            line, r"\A<130>1 [0-9TZ:.-]+ srv monitor436 [0-9]+ happened \[m436@32473 key=\"[0-9a-f]+\" host=\"h1\""
        )
        self.assertIn("<b onmouseover=alert(1)>\\u001b[31m", body)
        self.assertEqual(mail.get_content_type(), "text/plain")
        self.assertIn("<b onmouseover", json.loads(self.receiver.posts()[0]["body"])["items"][0]["text"])

    def test_every_way_is_tried_at_once_by_a_command(self) -> None:
        """Those that work, and those that do not with a sentence; what a program has started ends with it."""
        self.receiver.start()
        inboxes = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
        sockets = {over: self.enterContext(socket.socket(socket.AF_INET, kind)) for over, kind in inboxes.items()}
        for each in sockets.values():
            each.bind((LOOPBACK, 0))
            each.settimeout(SOON)
        sockets["tcp"].listen()
        ports = {over: each.getsockname()[1] for over, each in sockets.items()}
        page = self.script("page", "cat > page.txt; env >> page.txt")
        slow = self.script("slow", "sleep 300 & echo $! > pid; wait")
        nowhere = f"http://{LOOPBACK}:{free_port()}/"
        ways = self.by_mail_and_post()
        ways["webhook"]["away"] = Webhook(url=nowhere)
        closed = free_port()
        ways["mail"]["gone"] = structs.replace(ways["mail"]["ops"], port=closed)
        ways["command"] = {"page": Command((page,)), "slow": Command((slow,), 3.0), "none": Command(("/no/such",))}
        ways["syslog"] = {over: Syslog(over=over, host=LOOPBACK, port=ports[over]) for over in ("udp", "tcp")}  # type: ignore[arg-type]
        server = self.telling(Notify(**ways))
        status, output = server.command("alert", "test")
        lines = dict(line.partition(" ")[::2] for line in output.splitlines())
        self.assertEqual((status, len(lines)), (1, 9), output)
        for name in ("ops", "hook", "page", "udp", "tcp"):
            self.assertIn("handed over", lines[name])
        self.assertIn("took longer than 3 s", lines["slow"])
        self.assertIn("No such file", lines["none"])
        self.assertIn(f"{nowhere.split('/')[2]}: Connection was refused", lines["away"])
        self.assertIn(f"localhost:{closed}: Connection was refused", lines["gone"])
        said = (self.folder / "page.txt").read_text()
        self.assertIn("this is a test of notifications", said)
        names = {line.partition("=")[0] for line in said.splitlines() if "=" in line}
        self.assertEqual({name for name in names if not name.startswith("M436_")}, {"PATH", "LANG", "PWD", "OLDPWD"})
        self.assertIn(b"1 ", sockets["udp"].recv(4096))
        stream, _ = sockets["tcp"].accept()
        with stream:
            length, _, line = stream.recv(4096).partition(b" ")
            self.assertEqual(int(length), len(line))
        pid = int((self.folder / "pid").read_text())
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), SOON, "it ended with the program")

    def test_over_tls_only_a_trusted_receiver_is_told_and_another_as_soon_as_it_is(self) -> None:
        """What nobody trusted has signed gets nothing, and is told of in a sentence; nor does what has another name."""
        self.receiver.start()
        given, wrong = self.receiver.certificate, self.folder / "wrong.crt"
        make_certificate(wrong, self.folder / "wrong.pem")
        here = f"https://{NAME}:{self.receiver.secure}"
        ways: dict[str, dict[str, Any]] = {
            "webhook": {
                "right": Webhook(url=f"{here}/right", ca=str(given)),
                "wrong": Webhook(url=f"{here}/wrong", ca=str(wrong)),
                "named": Webhook(url=f"https://{LOOPBACK}:{self.receiver.secure}/named", ca=str(given)),
            },
            "alertmanager": {
                "am": Alertmanager(url=f"{here}/am", ca=str(given)),
                "wrong-am": Alertmanager(url=f"{here}/wrong-am", ca=str(wrong)),
            },
        }
        paths = {name: f"/{name}" + "/api/v2/alerts" * name.endswith("am") for kind in ways.values() for name in kind}
        routes = {"all but notifiers": Route(to=tuple(paths), checks=("",))}
        server = self.telling(Notify(**ways, routes=routes, group_wait=0.0)).start()
        server.plan("no plan")
        events = eventually(lambda: server.events(kind="notify_failed")[2:] and server.events(), SOON, "three fail")
        failed = {event["fields"]["notifier"]: event["text"] for event in events if event["kind"] == "notify_failed"}
        shown = f"the certificate that {NAME} shows is not trusted: nobody in {wrong} has signed it"
        for name in ("wrong", "wrong-am"):
            self.assertIn(shown, failed[name])
        self.assertIn(f"the certificate that {LOOPBACK} shows is for another name", failed["named"])
        eventually(lambda: all(self.receiver.posts(paths[name]) for name in ("right", "am")), SOON, "two are told")
        self.assertFalse([name for name in failed if self.receiver.posts(paths[name])])
        wrong.write_bytes(given.read_bytes())
        eventually(lambda: len(server.events(kind="notify_failed")) == 5, SOON, "two are trusted by now")
        works = {event["fields"]["notifier"] for event in server.events(kind="notify_failed", severity="info")}
        self.assertEqual(works, {"wrong", "wrong-am"})
        told = [len(self.receiver.posts(path)) for path in paths.values()]
        self.assertEqual(dict(zip(paths, told, strict=True)), dict.fromkeys(paths, 1) | {"named": 0})

    def test_the_dead_man_asks_again_and_again(self) -> None:
        """That the outside address is away is told, and that it is back."""
        url = f"http://{LOOPBACK}:{self.receiver.requests}/alive"
        server = self.telling(Notify(dead_man=url, dead_man_every=3.0)).start()  # so long it waits for an answer, too
        away = server.event(kind="notify_failed")
        self.assertEqual((away["severity"], away["fields"]), ("warning", {"notifier": "dead man", "state": "failing"}))
        self.assertIn("refused", away["text"])
        self.receiver.start()
        back = server.event(kind="notify_failed", after=1)
        self.assertEqual((back["severity"], back["text"]), ("info", "the dead man works again"))
        eventually(lambda: len(self.receiver.posts("/alive")) >= 2, SOON, "it asks again and again")
        self.assertEqual({post["method"] for post in self.receiver.posts("/alive")}, {"GET"})

    def script(self, name: str, text: str) -> str:
        """A program that runs in the folder."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\ncd {self.folder}\n{text}\n")
        path.chmod(0o755)
        return str(path)


@unittest.skipUnless(ALERTMANAGER, "prometheus-alertmanager is not installed")
class AlertmanagerTests(Told):
    """Debian's, with the receiver behind it."""

    def test_it_receives_groups_and_resolves_our_alerts(self) -> None:
        """Two hosts that die are one group; it is told that both are well again."""
        self.receiver.start()
        port, cluster = free_port(), free_port()
        url = f"http://{LOOPBACK}:{port}"
        hook = f"http://{LOOPBACK}:{self.receiver.requests}/from-alertmanager"
        (self.folder / "am.yml").write_text(
            "route: {receiver: us, group_by: [severity], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers: [{{name: us, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]\n"
        )
        manager = Process(
            [
                str(ALERTMANAGER),
                f"--config.file={self.folder / 'am.yml'}",
                f"--storage.path={self.folder / 'am'}",
                f"--web.listen-address={LOOPBACK}:{port}",
                f"--cluster.listen-address={LOOPBACK}:{cluster}",
            ],
            self.folder / "am.log",
        )
        self.addCleanup(manager.kill)
        kept = Alertmanager(url=url, refresh=1.0, expires=60.0)
        routes = {"hosts": Route(to=("am",), hosts=("h*",))}  # a busy machine is a trouble of the server, and no host's
        server = self.telling(Notify(alertmanager={"am": kept}, routes=routes, group_wait=0.5)).start()
        agents = [self.joined(server, "h1"), self.joined(server, "h2")]
        for agent in agents:
            agent.send(signal.SIGSTOP)
        eventually(lambda: len(self.groups("firing")) >= 1, SOON, "it tells of a group")
        names = [alert["labels"]["host"] for alert in self.groups("firing")[-1]["alerts"]]
        eventually(lambda: sorted(self.firing(url)) == ["h1", "h2"], SOON, "both are there")
        self.assertLessEqual(set(names), {"h1", "h2"})
        for agent in agents:
            agent.send(signal.SIGCONT)
        eventually(lambda: self.groups("resolved") and self.over() == {"h1", "h2"}, SOON, "it tells of their end")
        last = self.groups("resolved")[-1]
        self.assertEqual({alert["status"] for alert in last["alerts"]}, {"resolved"})
        self.assertEqual(self.firing(url), [])

    def groups(self, status: str = "") -> list[dict[str, Any]]:
        """What it sent on."""
        found = [json.loads(post["body"]) for post in self.receiver.posts("/from-alertmanager")]
        return [each for each in found if status in ("", each["status"])]

    def over(self) -> set[str]:
        """The hosts of which it told that they are well again: one may be before the other."""
        alerts = [alert for group in self.groups() for alert in group["alerts"]]
        return {alert["labels"]["host"] for alert in alerts if alert["status"] == "resolved"}

    def firing(self, url: str) -> list[str]:
        """The hosts of the alerts that it has."""
        with urllib.request.urlopen(f"{url}/api/v2/alerts?active=true", timeout=SOON) as answer:
            return [alert["labels"]["host"] for alert in json.load(answer)]
