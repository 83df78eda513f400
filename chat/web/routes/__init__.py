"""The pages and actions, one family a file."""
