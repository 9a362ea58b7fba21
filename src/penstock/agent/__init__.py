"""Agent: buys compute and certified energy inside a mandate, through the doors, as any outsider would."""
