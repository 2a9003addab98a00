"""Numbers by host and label: their summaries, and the forms in which they come and go."""
