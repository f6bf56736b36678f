"""Speed, measured against what the machine gives without us. `make bench`; docs/performance.md reads it."""
