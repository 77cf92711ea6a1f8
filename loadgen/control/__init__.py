"""Who does what when in a run: one coordinator, an agent in each process that has users, and their messages."""
