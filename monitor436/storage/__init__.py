"""Where summaries are kept: the contract, and a room for each store."""
