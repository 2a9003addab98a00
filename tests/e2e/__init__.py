"""Real processes on real sockets. Everything here cleans up after itself; what needs root says so and is skipped."""
