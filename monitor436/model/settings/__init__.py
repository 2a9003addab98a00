"""The settings of a server: one module a section, `whole` for all of them."""
