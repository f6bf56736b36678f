"""Schema changes of the normalizer, run by `normalizer migrate`."""
