"""A fleet that is asked for its health: who, what pages say, and what follows."""
