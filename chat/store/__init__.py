"""The only SQL: one writer, read-only readers, the log with its chain, and the tables that mirror it."""
