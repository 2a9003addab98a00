"""The agent: what runs on hosts. Standard library only, Python 3.6 grammar, shipped as one file."""
