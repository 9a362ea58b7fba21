"""The EnergyTag granular certificate API over the same acts: its paths and fields, inclusive ranges and all."""
