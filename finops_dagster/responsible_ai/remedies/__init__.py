"""From a model's breaches to the change in Git that puts it right, or the reason why none is known.

Judging is done before, and what may be merged is policy's to say.
"""
