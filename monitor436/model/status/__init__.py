"""The state of every host and check, from the events alone."""
