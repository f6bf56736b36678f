"""Checks what is deployed against the code, offline: `python -m scripts.check_deploy`."""
