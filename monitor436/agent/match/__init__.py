"""Which lines the patterns of a plan match, and the events that come of them."""
