"""What was asked for: the model of all settings, the rules between them, and what is wrong with them."""
