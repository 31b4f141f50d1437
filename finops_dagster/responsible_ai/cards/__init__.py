"""Model cards of our own engines: what each is, on which data, how good, and what changed.

Nothing is measured here.
"""
