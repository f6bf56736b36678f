"""Fetching from VirtualExpo: when it is due, one attempt, and what it came to.

A subscription is claimed in one transaction that also writes the attempt and the time before which nobody
tries again; only then anything is asked. Whatever dies afterwards, the vendor is not asked too early.
"""
