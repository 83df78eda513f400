"""The scripted model the program plays against until the player connects a real one.

It speaks the OpenAI protocol over its own loopback listener and must never import another room of the program.
"""
