"""The 24/7 report: energy and carbon hour by hour, each figure with its proof."""
