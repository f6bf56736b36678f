"""Inbound mail: what a mail server brings by SMTP or LMTP becomes a raw message for each of its recipients.

`listener` listens, `connection` speaks the protocol, `mailroom` knows the recipients and stores; what is to
be known of a mail itself is in `domain.mail`. Why like this: docs/adr/0124-mail-is-a-way-in.md.
"""
