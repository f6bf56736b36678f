"""HTTP: the senders' door, what became of a message, and the operators' API of keys."""
