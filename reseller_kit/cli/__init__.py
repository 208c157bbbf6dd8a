"""The operator's command line: nouns, then verbs. Parses and shows; what happens is decided in `flows`."""
