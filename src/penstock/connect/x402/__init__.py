"""x402: payment inside a request. What travels, who settles it, and the till that never charges twice."""
