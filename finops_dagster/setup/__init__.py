"""First steps with one's own estate: a settings file to fill in, a check of it, its reference page.

What a setting is lives in `settings`; what it leads to, in the packages it is handed to.
"""
