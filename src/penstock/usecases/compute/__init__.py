"""Compute bought and sold: providers, capacity by the hour, windows, credits."""
