"""Words, numbers and tables, safe to show whatever their source."""
