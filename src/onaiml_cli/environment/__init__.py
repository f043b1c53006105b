"""One locked set of packages and its fingerprint, and the places that hold it."""
