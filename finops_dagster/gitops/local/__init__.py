"""The forge that is a bare Git repository on disk.

What every forge promises is in domain.protocols; what is done on one is in gitops.
"""
