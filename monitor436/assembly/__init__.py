"""The parts of a server, put together: one module for each side of it."""
