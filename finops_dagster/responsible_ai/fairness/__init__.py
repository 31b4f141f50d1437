"""How answers, errors and decisions fall on groups of people.

Which difference is a breach is decided in `gate`.
"""
