"""All SQL of adf-mailer, and nothing but SQL."""
