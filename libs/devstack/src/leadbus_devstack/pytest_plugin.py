"""pytest fixtures on real servers: one vhost and one set of databases per test worker."""

from __future__ import annotations
