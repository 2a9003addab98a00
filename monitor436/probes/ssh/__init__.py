"""What asks a host over ssh: by itself, or with the operator's own program."""
