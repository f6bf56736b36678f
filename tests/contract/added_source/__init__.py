"""A source that does not exist, added as CONTRIBUTING.md says: `test_adding_a_source.py` does it."""
