"""Carbon: what was emitted, hour by hour, what certificates change of it, and credits for what was avoided."""
