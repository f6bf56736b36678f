"""Readers of strangers' bytes under a coverage-guided fuzzer: `make fuzz`."""
