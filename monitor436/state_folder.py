"""What lies where in the state folder of a server: names that several rooms and commands must agree on."""

SITE = "site"  # a folder: the site's key and certificate
NAMES = "names.jsonl"  # which host has which name
AGENT_FILE = "agent436.pyz"
ROSTER = "roster.json"
VITALS = "vitals.json"
POLLS = "polls"  # a folder
SWEEPS = "sweeps"  # a folder
TOKENS = "tokens.jsonl"
LINKS = "links.jsonl"
