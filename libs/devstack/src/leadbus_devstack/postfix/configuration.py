"""main.cf, master.cf and the tables of one private instance."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leadbus_devstack.postfix.behaviours import (
    CONTENT_REFUSALS,
    DISCARD_DOMAIN,
    DOMAIN,
    INSIDE_DOMAIN,
    INSIDE_REFUSALS,
    MAILBOXES,
    NEXT_HOP_DOMAIN,
    REFUSALS,
    To,
    table,
)
from leadbus_devstack.postfix.programs import PostfixPrograms

HOST_NAME = f"mx.{DOMAIN}"
SIZE_LIMIT_BYTES = 262_144
_SETTLED_SECONDS = 10.0
MAILBOX_UID = 65534
"""nobody's, on every Linux; whoever runs the tests is root and reads the files all the same."""

_MASTER = """\
cleanup    unix       n - n - 0 cleanup
qmgr       unix       n - n 300 1 qmgr
tlsmgr     unix       - - n 1000? 1 tlsmgr
rewrite    unix       - - n - - trivial-rewrite
bounce     unix       - - n - 0 bounce
defer      unix       - - n - 0 bounce
trace      unix       - - n - 0 bounce
verify     unix       - - n - 1 verify
flush      unix       n - n 1000? 0 flush
proxymap   unix       - - n - - proxymap
smtp       unix       - - n - - smtp
error      unix       - - n - - error
retry      unix       - - n - - error
discard    unix       - - n - - discard
virtual    unix       - n n - - virtual
anvil      unix       - - n - 1 anvil
scache     unix       - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""
"""No pickup: mail comes by SMTP only. Nothing runs in a chroot, whose files would have to be copied there."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What one configuration is made of. `listeners`: port and differing settings by name."""

    programs: PostfixPrograms
    directory: Path
    log: Path
    listeners: Mapping[str, tuple[int, Mapping[str, str]]]
    next_hop_port: int
    bounces_port: int
    greylisting_port: int
    logins_port: int
    certificate: Path | None
    settings: Mapping[str, str]

    @property
    def configuration(self) -> Path:
        return self.directory / "etc"

    @property
    def queue(self) -> Path:
        return self.directory / "queue"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def mail(self) -> Path:
        return self.directory / "mail"

    def write(self) -> None:
        """All files, root's and readable by all."""
        self.configuration.mkdir(parents=True, exist_ok=True)
        main = {**self._main(), **self.settings}
        inside_port, _ = self.listeners["inside"]
        files = {
            "main.cf": "".join(f"{name} = {value}\n" for name, value in main.items()),
            "master.cf": _MASTER + "".join(map(self._listener, self.listeners)),
            "recipients": _lines({**REFUSALS, To.GREYLISTED: "greylist"}),
            "contents": _lines(CONTENT_REFUSALS),
            "inside": _lines(INSIDE_REFUSALS),
            "mailboxes": _lines({one: f"{one.partition('@')[0]}/" for one in MAILBOXES}),
            "transport": _lines(
                {
                    INSIDE_DOMAIN: f"smtp:[127.0.0.1]:{inside_port}",
                    NEXT_HOP_DOMAIN: f"smtp:[127.0.0.1]:{self.next_hop_port}",
                    DISCARD_DOMAIN: "discard:",
                }
            ),
        }
        for name, text in files.items():
            path = self.configuration / name
            path.write_text(text)
            # Postfix reads a file of this very second again and again, lest it be still written: two seconds.
            os.utime(path, (path.stat().st_mtime - _SETTLED_SECONDS,) * 2)

    def _listener(self, name: str) -> str:
        port, settings = self.listeners[name]
        options = "".join(f" -o {{ {one} = {value} }}" for one, value in settings.items())
        return f"127.0.0.1:{port} inet n - n - - smtpd{options}\n"

    def _main(self) -> dict[str, str]:
        """Everything that differs from what is compiled in; one subject after the other."""
        return self._places() | self._receiving() | self._delivering() | self._tls()

    def _places(self) -> dict[str, str]:
        return {
            "compatibility_level": "3.6",
            "queue_directory": str(self.queue),
            "data_directory": str(self.data),
            "daemon_directory": str(self.programs.daemons),
            "command_directory": str(self.programs.commands),
            "mail_owner": self.programs.mail_owner,
            "setgid_group": self.programs.setgid_group,
            "maillog_file": str(self.log),
            "maillog_file_prefixes": str(self.log.parent),
            "syslog_name": "postfix",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": HOST_NAME,
            # Nothing may depend on the machine's names or on a resolver.
            "smtpd_peername_lookup": "no",
            "disable_dns_lookups": "yes",
            "smtp_host_lookup": "native",
        }

    def _receiving(self) -> dict[str, str]:
        policy = f"check_policy_service {{ inet:127.0.0.1:{self.greylisting_port}, timeout=10s }}"
        return {
            # To Postfix we are a stranger out there, not a machine that it works for: it corrects no header,
            # relays nothing, and its limits hold.
            "mynetworks": "",
            "local_header_rewrite_clients": "",
            "smtpd_client_event_limit_exceptions": "",
            "message_size_limit": str(SIZE_LIMIT_BYTES),
            "recipient_delimiter": "+",
            "mydestination": "",
            "local_recipient_maps": "",
            "alias_maps": "",
            "relay_domains": f"{INSIDE_DOMAIN} {NEXT_HOP_DOMAIN} {DISCARD_DOMAIN}",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"inet:127.0.0.1:{self.logins_port}",
            "smtpd_delay_reject": "no",
            "smtpd_helo_required": "yes",
            "smtpd_error_sleep_time": "0",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_restriction_classes": "greylist",
            "greylist": policy,
            "smtpd_recipient_restrictions": f"check_recipient_access {table('recipients')}",
            "smtpd_end_of_data_restrictions": f"check_recipient_access {table('contents')}",
        }

    def _delivering(self) -> dict[str, str]:
        return {
            "virtual_mailbox_domains": DOMAIN,
            "virtual_mailbox_base": str(self.mail),
            "virtual_mailbox_maps": table("mailboxes"),
            "virtual_uid_maps": f"static:{MAILBOX_UID}",
            "virtual_gid_maps": f"static:{MAILBOX_UID}",
            "transport_maps": table("transport"),
            # Strangers may not relay, so all that goes elsewhere is a report to a sender.
            "default_transport": f"smtp:[127.0.0.1]:{self.bounces_port}",
            "notify_classes": "",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "delay_warning_time": "1s",
            "smtp_destination_rate_delay": "0",
            # One refused connection is no reason to leave a destination alone for a while.
            "smtp_destination_concurrency_failed_cohort_limit": "1000",
        }

    def _tls(self) -> dict[str, str]:
        if self.certificate is None:
            return {}
        return {
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": str(self.certificate),
            "tls_random_source": "dev:/dev/urandom",
        }


def _lines(rows: Mapping[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in rows.items())
