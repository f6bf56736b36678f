"""Settings as files: read, compared with what the services have, and applied in an order that works."""
