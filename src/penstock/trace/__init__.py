"""Trace: every unit followed back to its meter and forward to its money, and proofs of it that need no network."""
