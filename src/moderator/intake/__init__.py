"""From paths to fingerprints and prepared pixels: walk, sniff, decode, hash."""
