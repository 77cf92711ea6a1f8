"""Words, numbers and tables that are safe to show, whoever wrote them."""
