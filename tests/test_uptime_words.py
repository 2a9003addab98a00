"""Command lines of `monitor436 uptime send`, `work` and `sink`: a wrong one is told of before anything runs."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from monitor436.cli.over_ssh.text import hint
from monitor436.cli.uptime import uptime
from monitor436.model.sweep.remote import Result

REDIS = ("--redis", "127.0.0.1:1")


class MistakeTests(unittest.TestCase):
    """Status 2, and a sentence."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.hosts = Path(folder.name, "hosts")
        self.hosts.write_text("web1\n")
        self.settings = Path(folder.name, "settings.yaml")
        self.settings.write_text("redis: {tls: true}\n")

    def refused(self, sentence: str, *words: str) -> None:
        """A command line is refused with this."""
        result = CliRunner().invoke(uptime, words)
        self.assertEqual(result.exit_code, 2, result.output)
        self.assertIn(sentence, " ".join(result.output.split()))

    def test_redis_is_named_by_host_and_port(self) -> None:
        """Or by the settings; options of it go with its address."""
        self.refused("expected host:port", "send", str(self.hosts), "5", "--redis", "nonsense")
        self.refused("go with --redis", "send", str(self.hosts), "5", "--redis-tls")
        self.refused("no Redis: give --redis", "send", str(self.hosts), "5", "-c", str(self.settings))
        self.refused("by --redis HOST:PORT", "send", str(self.hosts), "5", "-c", str(self.settings) + ".none")
        self.refused("must be given, as there is a user", "sink", "rows", *REDIS, "--redis-user", "u")

    def test_names_are_those_of_keys(self) -> None:
        """Of workers, batches and queues."""
        self.refused("letters, digits", "work", "w 1", "5", *REDIS)
        self.refused("letters, digits", "send", str(self.hosts), "5", "--batch", "a/b", *REDIS)
        self.refused("letters, digits", "sink", "rows", "--queue", "a:b", *REDIS)

    def test_a_batch_is_new_or_goes_on(self) -> None:
        """Not both."""
        self.refused("choose one", "send", str(self.hosts), "5", "--batch", "a", "--resume", "b", *REDIS)

    def test_a_lease_outlasts_a_host(self) -> None:
        """Else every slow host would be asked twice."""
        self.refused("at least 2 s longer", "work", "w1", "5", "--lease", "16s", *REDIS)

    def test_the_file_of_a_sink_can_be_written(self) -> None:
        """Told before anything is taken from the queue."""
        self.refused("No such file", "sink", "/nowhere/rows", *REDIS)


class HintTests(unittest.TestCase):
    """What is said below the summary of a sweep."""

    def test_hosts_whose_key_is_not_known_bring_the_option_for_it(self) -> None:
        """Unless it was given, or they failed by something else."""
        refused, strange = (Result("web1", 0.0, 0.1, reason=reason) for reason in ("refused", "host_key"))
        self.assertIn("--accept-new", hint([refused, strange], False))
        self.assertEqual([hint([refused, strange], True), hint([refused], False), hint([], False)], ["", "", ""])
