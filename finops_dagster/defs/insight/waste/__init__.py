"""Finding waste: one module for each part of the estate that is looked at."""
