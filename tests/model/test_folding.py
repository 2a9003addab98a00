"""Names of many hosts in few words."""

import unittest

from monitor436.model.sweep.folding import folded


class FoldingTests(unittest.TestCase):
    def test_hosts_that_follow_each_other_are_one_word(self) -> None:
        """In whatever order they are told; gaps stay gaps."""
        self.assertEqual(folded(["web3", "db1", "web1", "web2", "web7"]), "db1,web[1-3],web7")

    def test_ports_domains_and_zeros_stay_what_they_are(self) -> None:
        """web01 is another host than web1."""
        self.assertEqual(folded(["web01", "web02", "web1"]), "web1,web[01-02]")
        self.assertEqual(folded(["web1.example", "web2.example"]), "web[1-2].example")
        self.assertEqual(folded(["10.0.0.1:2222", "10.0.0.2:2222", "10.0.0.2:2223"]), "10.0.0.[1-2]:2222,10.0.0.2:2223")

    def test_names_without_numbers_and_doubled_ones_are_told_once(self) -> None:
        """And nothing is nothing."""
        self.assertEqual(folded(["b", "a", "b"]), "a,b")
        self.assertEqual(folded([]), "")
