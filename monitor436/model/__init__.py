"""What is known and what follows from it: no clock, no file, no socket, no Twisted."""
