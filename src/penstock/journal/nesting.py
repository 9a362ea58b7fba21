"""Depth of brackets, counted before a parser runs that deep: `penstock.nesting`, under the name that readers know."""

from penstock.nesting import deeper_than, nesting

__all__ = ["deeper_than", "nesting"]
