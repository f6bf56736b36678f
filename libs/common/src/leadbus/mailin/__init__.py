"""A listener for mail servers (SMTP, LMTP), for services that mails come to.

`listener` listens, `connection` speaks the protocol, `room` is what a service puts behind it: it knows the
recipients and stores. 250 is said after `Mailroom.take` has returned, so what it stores is committed then.
"""
