"""Depth of brackets, counted before a parser runs that deep: `penstock.keys.nesting`, under the name that readers know."""

from penstock.keys.nesting import deeper_than, nesting

__all__ = ["deeper_than", "nesting"]
