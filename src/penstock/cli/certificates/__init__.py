"""Certificates at the command line, noun by noun."""
