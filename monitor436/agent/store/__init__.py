"""What is kept on this host until a server has it."""
