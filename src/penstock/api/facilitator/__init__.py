"""x402's facilitator interface over HTTP."""
