"""The way to the servers: who they are, what goes out, what is fetched."""
