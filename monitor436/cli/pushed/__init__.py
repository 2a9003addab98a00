"""What `monitor436 push` is made of."""
