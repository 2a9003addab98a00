"""What is measured on this host: readings, processes, commands, and what they come to."""
