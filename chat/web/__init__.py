"""HTTP: pages, actions and the live stream.

It decides nothing; it calls the engine and shows what the store reads.
"""

from chat.web import lean

lean.spare()
