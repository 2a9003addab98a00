"""Plans: as they are written, and as each host gets its own."""
