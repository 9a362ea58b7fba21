"""The chain edge: an embedded EVM chain, its JSON-RPC, and the client, outbox and inbox that work on any EVM chain."""
