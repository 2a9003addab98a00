"""Probes: each asks one target one thing, and answers or raises a `Failure`; the poller does all the rest."""
