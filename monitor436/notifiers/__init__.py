"""Ways to tell somebody: one module a way, and a table that names them."""
