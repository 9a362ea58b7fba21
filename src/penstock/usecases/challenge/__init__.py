"""Challenges as acts: commit, draw, do again elsewhere, judge, and file the verdict that costs the collateral."""
