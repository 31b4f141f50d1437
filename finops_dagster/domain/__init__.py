"""The product's words as frozen types, and table schemas as plain data.

No I/O, no clock, no import but the standard library and pydantic.
"""
