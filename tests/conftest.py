"""What every test shares: a property test may take its time on a machine that is busy."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
