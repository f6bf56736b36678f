"""Settings: `environment` for what a deployment fixes, `documents` for what the business changes."""
