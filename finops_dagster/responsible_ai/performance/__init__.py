"""How good a model's answers are: by labels, and before labels arrive.

Which loss is a breach is decided in `gate`.
"""
