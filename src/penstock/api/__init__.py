"""The HTTP door: the record, the state and one page of a workspace. Reads only, loopback by default."""
