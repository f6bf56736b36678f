"""Schema changes of the normalizer, run by `python -m normalizer migrate`."""
