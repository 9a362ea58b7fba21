"""Servicing a deal: what a servicer records, act by act."""
