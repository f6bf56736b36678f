"""The promises of ARCHITECTURE.md, proven by breaking things on a whole system."""
