"""The proof under faults: real agents, servers and logs, and everything that can go wrong, every half second."""
