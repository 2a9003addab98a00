"""Events on their way: what agents say, which of it is new, what came early, how much may come."""
