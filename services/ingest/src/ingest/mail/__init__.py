"""Inbound mail: what a mail server brings by SMTP or LMTP becomes a raw message for each of its recipients.

`leadbus.mailin` listens and speaks the protocol; `mailroom` knows the recipients and stores. Why like this:
docs/adr/0124-mail-is-a-way-in.md.
"""
