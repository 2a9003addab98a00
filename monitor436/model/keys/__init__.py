"""Who may speak: names and their keys, sessions, the keys of the site."""
