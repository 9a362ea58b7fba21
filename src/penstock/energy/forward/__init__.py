"""Output sold forward: what is promised, how it is shared out and priced, and the book of it."""
