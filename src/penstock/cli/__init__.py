"""The command line: nouns and verbs over the use cases; data on stdout, everything else on stderr."""
