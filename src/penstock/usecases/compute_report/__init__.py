"""What stands in the compute wing, as rows for the doors: work, sales, prices, the energy behind it."""
