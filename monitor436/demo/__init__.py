"""The scripted rehearsal: the real server and real agents on loopback, and steps that must happen."""
