"""All SQL of this service, and nothing but SQL."""
