"""Energy: devices that sign, packets that are checked, certificates issued from what stands, hours matched."""
