"""C: deals - their language, the program compiled from it, and the exact engine that equals the contract."""
