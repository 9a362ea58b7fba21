"""Checks of readings: each a pure function from columns to findings, one file a rule."""
