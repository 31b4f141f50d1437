"""Whether what a model is given, what it says and what is true of it have moved.

Which move is a breach is decided in `gate`.
"""
