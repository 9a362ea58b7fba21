"""The edge to the field: the protocols by which devices, gateways and vendors' clouds speak, and are spoken to."""
