"""Depth of brackets: `penstock.keys.nesting`, under the name that readers of other JSON know."""

from penstock.keys.nesting import deeper_than, nesting

__all__ = ["deeper_than", "nesting"]
