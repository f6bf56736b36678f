"""The published contracts, from outside: documents, example publishers, and events as they once were."""
