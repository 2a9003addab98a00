"""What `monitor436 report` is made of."""
