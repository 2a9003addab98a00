"""The HTTP door: pages and API over one table of routes."""
