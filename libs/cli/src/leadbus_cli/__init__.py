"""The `leadbus` command: set up, look, act. Everything goes through the services' HTTP APIs."""
