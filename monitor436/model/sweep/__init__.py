"""A fleet that is asked over ssh: who, what hosts answer, and what follows."""
