"""Log files, followed by their names through whatever happens to them."""
