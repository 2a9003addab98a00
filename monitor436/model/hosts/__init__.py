"""What is known of hosts, and what follows from hearing them or not."""
