"""monitor436: heartbeats, plans, logs, checks and their events for a LAN of Linux hosts."""

__version__ = "0.1.0"
