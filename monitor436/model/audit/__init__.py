"""That no event is missing or doubled, told from the files alone."""
