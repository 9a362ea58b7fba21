"""Compute: racks that serve in matched hours, each answer's energy, and credits that pay for it."""
