"""The commands of the agent file beside running: nothing of them stays resident."""
