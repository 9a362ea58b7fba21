"""The investor report: what a deal took in and paid in a period, why, and what stands behind it."""
