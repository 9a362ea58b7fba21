"""Every speed figure with the command that makes it: ``python -m bench``."""
