"""What we say to a model: texts, their assembly within a budget, and the shape of answers.

Pure; is given what it needs.
"""
