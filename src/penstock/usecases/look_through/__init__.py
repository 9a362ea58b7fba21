"""Look-through: from a holding to its share of every asset, contract, offtaker, region, assurance and reading."""
