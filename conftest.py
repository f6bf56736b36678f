"""Servers and processes for tests come from one place."""

pytest_plugins = ["leadbus_devstack.pytest_plugin"]
