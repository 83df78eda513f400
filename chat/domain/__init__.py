"""What is true: events, the folds that make state of them, and decisions that return events.

Pure; no clock, no I/O.
"""
