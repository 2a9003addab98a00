"""What a server thinks of itself and of others: lag, troubles, vitals, what it takes, neighbours."""
