"""Words, numbers and tables that are safe to show, whatever their source."""
