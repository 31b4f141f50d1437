"""The lake, the publications, the days and the ledger: everything that is kept on disk.

No business rules and no orchestrator: it writes atomically and reads back what was written.
"""
