"""What the doctor says about what was seen: a row for each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from leadbus.topology import TOPOLOGY, USERS
from leadbus.topology.accounts import Accounts
from leadbus.topology.looking import Depth, Looked
from leadbus.topology.users import publisher_rights, publisher_tags
from leadbus_cli.doctor.findings import Finding, Level
from leadbus_cli.doctor.judging import judge
from leadbus_cli.doctor.seen import (
    Answer,
    BrokerSeen,
    ClusterSeen,
    Seen,
    ServiceSeen,
    TokenSeen,
    TopologySeen,
    Trouble,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
QUEUES = [queue.name for queue in TOPOLOGY.queues]
NAMES = ("ingest", "normalizer", "adf-mailer")


def diagnosis(name: str, **more: Any) -> dict[str, Any]:
    return {
        "service": name,
        "version": "1.0",
        "state": "running",
        "ready": True,
        "checks": {"database": "ok"},
        "tasks": {"relay": "running"},
        "clock": NOW.isoformat(),
        "token": {"subject": "ann", "role": "operator"},
        "database": {
            "reachable": True,
            "error": None,
            "schema_state": "current",
            "ahead_seconds": 0.01,
            "round_trip_seconds": 0.02,
        },
        "outbox": {"pending": 0, "oldest_age_seconds": 0.0},
        "broker": {"user": name, "vhost": "leads", "publishing": True, "consuming": {"a.queue": True}},
    } | more


def service(name: str, **more: Any) -> ServiceSeen:
    seen = ServiceSeen(
        name,
        f"http://{name}",
        Answer(diagnosis(name), NOW - timedelta(seconds=0.1), NOW + timedelta(seconds=0.1)),
        {"ok": True, "checks": {"service": "running", "database": "ok"}},
        () if name == "adf-mailer" else None,
    )
    return replace(seen, **more)


def with_diagnosis(name: str, **more: Any) -> ServiceSeen:
    """A service whose diagnosis differs; a mapping changes only what it names."""
    told = diagnosis(name)
    for key, value in more.items():
        told[key] = {**told[key], **value} if isinstance(value, Mapping) and told[key] else value
    return service(name, diagnosis=Answer(told, NOW, NOW))


def accounts(**more: Any) -> Accounts:
    users: dict[str, dict[str, Any]] = {user.name: {"name": user.name, "tags": []} for user in USERS}
    permissions = {user.name: {"leads": user.rights.permission} for user in USERS}
    topics = {user.name: user.rights.topic_permissions for user in USERS}
    users |= more.get("users", {})
    permissions |= more.get("permissions", {})
    topics |= more.get("topics", {})
    for gone in more.get("without", ()):
        users.pop(gone)
    return Accounts("leads", users, permissions, topics)


def queue(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "quorum",
        "arguments": {"x-queue-type": "quorum"},
        "policy": f"leadbus queues {name}",
    } | more


def topology(**more: Any) -> TopologySeen:
    seen = TopologySeen(
        {
            exchange.name: {"name": exchange.name, "type": exchange.kind}
            | ({"policy": "leadbus exchanges leadbus.raw"} if exchange.name == "leadbus.raw" else {})
            for exchange in TOPOLOGY.exchanges
        },
        {name: queue(name) for name in QUEUES},
        [
            {"source": it.exchange, "destination": it.queue, "routing_key": it.routing_key}
            for it in TOPOLOGY.bindings
        ],
        overridden=False,
    )
    return replace(seen, **more)


NODE = {"name": "rabbit@one", "running": True, "mem_alarm": False, "disk_free_alarm": False, "partitions": []}


def broker(**more: Any) -> BrokerSeen:
    seen = BrokerSeen(
        "leads",
        "admin",
        "",
        Looked("3.10.8", {name: Depth(0, 0 if _held(name) else 1) for name in QUEUES}),
        ClusterSeen("3.10.8", "admin", [NODE]),
        topology(),
        accounts(),
    )
    return replace(seen, **more)


def _held(queue: str) -> bool:
    return queue == "leadbus.unrouted" or queue.endswith(".parked")


def with_depth(queue: str, messages: int, consumers: int) -> BrokerSeen:
    looked = broker().amqp
    assert isinstance(looked, Looked)
    return broker(amqp=replace(looked, depths={**looked.depths, queue: Depth(messages, consumers)}))


def token(**claims: Any) -> TokenSeen:
    return TokenSeen({"sub": "ann", "exp": (NOW + timedelta(days=1)).timestamp()} | claims, True)


def seen(**more: Any) -> Seen:
    return replace(Seen(NOW, token(), broker(), [service(name) for name in NAMES]), **more)


def services(*others: ServiceSeen) -> list[ServiceSeen]:
    """All of them, `others` in place of those of their names."""
    by_name = {name: service(name) for name in NAMES} | {other.name: other for other in others}
    return list(by_name.values())


def bad(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(str(it.level), it.check, it.subject) for it in findings if it.level is not Level.OK]


def test_a_deployment_that_is_well() -> None:
    findings = judge(seen())
    assert bad(findings) == []
    assert [it.subject for it in findings] == [
        *("LEADBUS_TOKEN", *NAMES, "services", "RabbitMQ", "leads", "leads", "leads"),
    ]


def on_nodes(*names: str) -> BrokerSeen:
    """A cluster of a, b and c, and `normalizer.raw` with a member on each of these."""
    members = {"members": [f"rabbit@{name}" for name in names]}
    everywhere = {"members": ["rabbit@a", "rabbit@b", "rabbit@c"]}
    queues = {name: queue(name) | (members if name == "normalizer.raw" else everywhere) for name in QUEUES}
    nodes = [NODE | {"name": f"rabbit@{name}"} for name in ("a", "b", "c")]
    return broker(cluster=ClusterSeen("3.10.8", "admin", nodes), topology=topology(queues=queues))


def test_queues_on_every_node_are_well() -> None:
    assert bad(judge(seen(broker=on_nodes("a", "b", "c")))) == []


AWAY = Trouble("ConnectError")
PUBLISHER = {
    "users": {"crm": {"name": "crm", "tags": publisher_tags("bdk")}},
    "permissions": {"crm": {"leads": publisher_rights("bdk").permission}},
    "topics": {"crm": publisher_rights("bdk").topic_permissions},
}
WIDE = {"configure": "^$", "write": ".*", "read": "^$"}

CASES: dict[str, tuple[Seen, str, str, str, str]] = {
    # id: (what was seen, level, check, subject, part of what is said)
    "no token": (seen(token=None), "wrong", "token", "LEADBUS_TOKEN", "there is none"),
    "token is no token": (
        seen(token=TokenSeen(None, None)),
        *("wrong", "token", "LEADBUS_TOKEN", "no signed token"),
    ),
    "token ended": (
        seen(token=token(exp=(NOW - timedelta(seconds=1)).timestamp())),
        *("wrong", "token", "LEADBUS_TOKEN", "it ended at 2026-03-02 11:59"),
    ),
    "token ends soon": (
        seen(token=token(exp=(NOW + timedelta(minutes=30)).timestamp())),
        *("warning", "token", "LEADBUS_TOKEN", "it ends in 30 minutes"),
    ),
    "token without end": (
        seen(token=token(exp=None)),
        *("wrong", "token", "LEADBUS_TOKEN", "how long it is valid"),
    ),
    "token with an absurd end": (
        seen(token=token(exp=1e300)),
        *("wrong", "token", "LEADBUS_TOKEN", "how long it is valid"),
    ),
    "token of another key": (
        seen(token=replace(token(), verified=False)),
        *("warning", "token", "LEADBUS_TOKEN", "not signed with the token key"),
    ),
    "no services": (seen(services=[]), "wrong", "services", "deployment", "where the services are"),
    "service away": (
        seen(services=services(service("ingest", diagnosis=AWAY, ready=AWAY))),
        *("wrong", "reachable", "ingest", "does not answer (ConnectError)"),
    ),
    "service hangs": (
        seen(services=services(service("ingest", diagnosis=Trouble("no answer within 5 s"), ready=AWAY))),
        *("wrong", "reachable", "ingest", "no answer within 5 s"),
    ),
    "service refuses the token": (
        seen(services=services(service("ingest", diagnosis=Trouble("401", 401)))),
        *("wrong", "token", "ingest", "refuses the token"),
    ),
    "role too low": (
        seen(services=services(service("ingest", diagnosis=Trouble("403", 403)))),
        *("wrong", "token", "ingest", "role is too low"),
    ),
    "older release": (
        seen(services=services(service("ingest", diagnosis=Trouble("404", 404)))),
        *("wrong", "reachable", "ingest", "knows no diagnosis"),
    ),
    "keys of the issuer away": (
        seen(services=services(service("ingest", diagnosis=Trouble("503", 503)))),
        *("wrong", "reachable", "ingest", "cannot verify tokens"),
    ),
    "defect of a service": (
        seen(services=services(service("ingest", diagnosis=Trouble("500 Internal error", 500)))),
        *("wrong", "reachable", "ingest", "it answered 500"),
    ),
    "something else at the address": (
        seen(services=services(service("ingest", diagnosis=Trouble("404", 404), ready=Trouble("404", 404)))),
        *("wrong", "reachable", "ingest", "is no service of Leadbus"),
    ),
    "another service at the address": (
        seen(services=services(with_diagnosis("ingest", service="normalizer"))),
        *("wrong", "reachable", "ingest", "http://ingest is normalizer"),
    ),
    "not ready, token refused": (
        seen(
            services=services(
                service(
                    "ingest",
                    diagnosis=Trouble("401", 401),
                    ready={"ok": False, "checks": {"service": "running", "database": "failing"}},
                )
            )
        ),
        *("wrong", "ready", "ingest", "database: failing"),
    ),
    "starting": (
        seen(services=services(service("ingest", ready={"ok": False, "checks": {"service": "starting"}}))),
        *("warning", "ready", "ingest", "it is starting"),
    ),
    "another check fails": (
        seen(
            services=services(
                service("ingest", ready={"ok": False, "checks": {"service": "running", "mail": "timed out"}})
            )
        ),
        *("wrong", "ready", "ingest", "mail: timed out"),
    ),
    "database away": (
        seen(
            services=services(
                with_diagnosis("ingest", database={"reachable": False, "error": "TimeoutError"})
            )
        ),
        *("wrong", "database", "ingest", "TimeoutError"),
    ),
    "schema behind": (
        seen(services=services(with_diagnosis("ingest", database={"schema_state": "behind"}))),
        *("wrong", "schema", "ingest", "behind this release"),
    ),
    "schema ahead": (
        seen(services=services(with_diagnosis("ingest", database={"schema_state": "ahead"}))),
        *("warning", "schema", "ingest", "ahead of this release"),
    ),
    "schema unread": (
        seen(
            services=services(
                with_diagnosis("ingest", database={"schema_state": None, "error": "TimeoutError"})
            )
        ),
        *("warning", "schema", "ingest", "could not be read (TimeoutError)"),
    ),
    "database's clock ahead": (
        seen(services=services(with_diagnosis("ingest", database={"ahead_seconds": 10.0}))),
        *("warning", "clock", "ingest", "its database's clock is 10 s ahead of its own"),
    ),
    "database's clock far behind": (
        seen(services=services(with_diagnosis("ingest", database={"ahead_seconds": -90.0}))),
        *("wrong", "clock", "ingest", "its database's clock is 90 s behind its own"),
    ),
    "service's clock behind": (
        seen(services=services(with_diagnosis("ingest", clock=(NOW - timedelta(seconds=5)).isoformat()))),
        *("warning", "clock", "ingest", "this machine's clock is 5 s ahead of its own"),
    ),
    "service's clock far ahead": (
        seen(services=services(with_diagnosis("ingest", clock=(NOW + timedelta(hours=1)).isoformat()))),
        *("wrong", "clock", "ingest", "this machine's clock is 3600 s behind its own"),
    ),
    "no clock": (
        seen(services=services(with_diagnosis("ingest", clock="noon"))),
        *("warning", "clock", "ingest", "did not say its time"),
    ),
    "outbox late": (
        seen(services=services(with_diagnosis("ingest", outbox={"pending": 7, "oldest_age_seconds": 61}))),
        *("warning", "outbox", "ingest", "7 messages are not published, the oldest for 61 s"),
    ),
    "outbox stuck": (
        seen(services=services(with_diagnosis("ingest", outbox={"pending": 7, "oldest_age_seconds": 601}))),
        *("wrong", "outbox", "ingest", "the oldest for 601 s"),
    ),
    "another virtual host": (
        seen(services=services(with_diagnosis("ingest", broker={"vhost": "/"}))),
        *("wrong", "broker", "ingest", "it uses virtual host '/'"),
    ),
    "another user": (
        seen(services=services(with_diagnosis("ingest", broker={"user": "guest"}))),
        *("warning", "broker", "ingest", "it logs in as guest"),
    ),
    "not publishing": (
        seen(services=services(with_diagnosis("ingest", broker={"publishing": False}))),
        *("wrong", "broker", "ingest", "no connection to publish on"),
    ),
    "not consuming": (
        seen(
            services=services(with_diagnosis("normalizer", broker={"consuming": {"normalizer.raw": False}}))
        ),
        *("wrong", "consumer", "normalizer", "does not consume normalizer.raw"),
    ),
    "queue on too few nodes": (
        seen(broker=on_nodes("a", "b")),
        *("wrong", "queues", "normalizer.raw", "it is on 2 of 3 nodes"),
    ),
    "queue on a node that is no more": (
        seen(broker=on_nodes("a", "b", "gone")),
        *("wrong", "queues", "normalizer.raw", "it counts on rabbit@gone, no node any more"),
    ),
    "task dead": (
        seen(services=services(with_diagnosis("ingest", tasks={"relay": "dead"}))),
        *("wrong", "task", "ingest", "task relay is dead"),
    ),
    "task waits": (
        seen(services=services(with_diagnosis("ingest", tasks={"relay": "waiting"}))),
        *("warning", "task", "ingest", "task relay is waiting"),
    ),
    "destination suspended": (
        seen(services=services(service("adf-mailer", destinations=[{"name": "d", "health": "suspended"}]))),
        *("wrong", "destinations", "adf-mailer", "1 suspended: d"),
    ),
    "destinations failing": (
        seen(
            services=services(
                service("adf-mailer", destinations=[{"name": f"d{n}", "health": "failing"} for n in range(5)])
            )
        ),
        *("warning", "destinations", "adf-mailer", "5 failing: d0, d1, d2 and more"),
    ),
    "destination paused": (
        seen(services=services(service("adf-mailer", destinations=[{"name": "d", "health": "paused"}]))),
        *("warning", "destinations", "adf-mailer", "1 paused: d"),
    ),
    "destinations not listed": (
        seen(services=services(service("adf-mailer", destinations=Trouble("500", 500)))),
        *("warning", "destinations", "adf-mailer", "cannot be listed"),
    ),
    "versions differ": (
        seen(services=services(with_diagnosis("ingest", version="1.1"))),
        *("warning", "versions", "services", "adf-mailer 1.0, ingest 1.1, normalizer 1.0"),
    ),
    "no broker": (seen(broker=None), "wrong", "broker", "deployment", "where RabbitMQ is"),
    "no AMQP": (seen(broker=broker(amqp=AWAY)), "wrong", "broker", "LEADBUS_AMQP_URL", "ConnectError"),
    "no management": (
        seen(broker=broker(cluster=Trouble("401", 401))),
        *("wrong", "broker", "LEADBUS_MANAGEMENT_URL", "401"),
    ),
    "old broker": (
        seen(broker=broker(amqp=Looked("3.9.29", {name: Depth(0, 1) for name in QUEUES if not _held(name)}))),
        *("wrong", "broker", "RabbitMQ", "3.9.29 is too old"),
    ),
    "node down": (
        seen(broker=broker(cluster=ClusterSeen("4.0", "admin", [NODE | {"running": False}]))),
        *("wrong", "node", "rabbit@one", "does not run"),
    ),
    "memory alarm": (
        seen(broker=broker(cluster=ClusterSeen("4.0", "admin", [NODE | {"mem_alarm": True}]))),
        *("wrong", "alarm", "rabbit@one", "memory alarm"),
    ),
    "disk alarm": (
        seen(broker=broker(cluster=ClusterSeen("4.0", "admin", [NODE | {"disk_free_alarm": True}]))),
        *("wrong", "alarm", "rabbit@one", "disk alarm"),
    ),
    "network cut": (
        seen(broker=broker(cluster=ClusterSeen("4.0", "admin", [NODE | {"partitions": ["rabbit@two"]}]))),
        *("wrong", "node", "rabbit@one", "cut off from rabbit@two"),
    ),
    "topology unseen": (
        seen(broker=broker(topology=Trouble("404 Not Found", 404))),
        *("wrong", "topology", "leads", "cannot be seen"),
    ),
    "queue missing": (
        seen(broker=broker(topology=topology(queues={name: queue(name) for name in QUEUES[1:]}))),
        *("wrong", "topology", "leads", f"queue {QUEUES[0]} is not there"),
    ),
    "exchange missing": (
        seen(
            broker=broker(
                topology=topology(
                    exchanges={k: v for k, v in topology().exchanges.items() if k != "leadbus.unrouted"}
                )
            )
        ),
        *("wrong", "topology", "leads", "exchange leadbus.unrouted is not there"),
    ),
    "queue of another kind": (
        seen(
            broker=broker(
                topology=topology(
                    queues={**topology().queues, QUEUES[0]: queue(QUEUES[0], type="classic", arguments={})}
                )
            )
        ),
        *("wrong", "topology", "leads", f"queue {QUEUES[0]} exists with type classic"),
    ),
    "binding missing": (
        seen(broker=broker(topology=topology(bindings=topology().bindings[1:]))),
        *("wrong", "topology", "leads", "binding leadbus.unrouted -> leadbus.unrouted key ''"),
    ),
    "binding too many": (
        seen(
            broker=broker(
                topology=topology(
                    bindings=[
                        *topology().bindings,
                        {"source": "leadbus.raw", "destination": "normalizer.raw", "routing_key": "raw.dms"},
                    ]
                )
            )
        ),
        *("warning", "binding", "leads", "leadbus.raw -> normalizer.raw key 'raw.dms' is not declared"),
    ),
    "policy dropped": (
        seen(
            broker=broker(
                topology=topology(
                    queues={**topology().queues, "normalizer.raw": queue("normalizer.raw", policy=None)}
                )
            )
        ),
        *("wrong", "policy", "leads", "no policy is in effect on normalizer.raw"),
    ),
    "another policy": (
        seen(
            broker=broker(
                topology=topology(
                    queues={**topology().queues, "normalizer.raw": queue("normalizer.raw", policy="mine")}
                )
            )
        ),
        *("wrong", "policy", "leads", "policy 'mine' is in effect on normalizer.raw"),
    ),
    "operator policy": (
        seen(
            broker=broker(
                topology=topology(
                    queues={
                        **topology().queues,
                        "normalizer.raw": queue(
                            "normalizer.raw",
                            effective_policy_definition={"max-length": 5},
                            operator_policy="caps",
                        ),
                    },
                )
            )
        ),
        *("wrong", "policy", "leads", "on normalizer.raw {'max-length': 5} is in effect"),
    ),
    "users unseen": (
        seen(broker=broker(accounts=Trouble("401 not_authorised", 401))),
        *("wrong", "users", "leads", "cannot be seen"),
    ),
    "user missing": (
        seen(broker=broker(accounts=accounts(without=["ingest"]))),
        *("wrong", "users", "ingest", "user ingest is not there"),
    ),
    "right revoked": (
        seen(broker=broker(accounts=accounts(permissions={"ingest": {}}))),
        *("wrong", "users", "ingest", "may not use the virtual host"),
    ),
    "right too wide": (
        seen(broker=broker(accounts=accounts(permissions={"ingest": {"leads": WIDE}}))),
        *("wrong", "users", "ingest", "may write '.*', '^(leadbus"),
    ),
    "topic permission missing": (
        seen(broker=broker(accounts=accounts(topics={"ingest": {}}))),
        *("wrong", "users", "ingest", "may write every routing key to leadbus.raw"),
    ),
    "topic permission too wide": (
        seen(
            broker=broker(accounts=accounts(topics={"ingest": {"leadbus.raw": {"write": ".*", "read": ""}}}))
        ),
        *("wrong", "users", "ingest", "may write routing keys '.*'"),
    ),
    "administrator": (
        seen(broker=broker(accounts=accounts(users={"ingest": {"tags": ["administrator"]}}))),
        *("wrong", "users", "leads", "user ingest has the tag administrator"),
    ),
    "stranger": (
        seen(broker=broker(accounts=accounts(users={"x": {"tags": []}}, permissions={"x": {"leads": WIDE}}))),
        *("warning", "users", "leads", "not declared: user x may use the virtual host"),
    ),
    "rights elsewhere": (
        seen(
            broker=broker(
                accounts=accounts(permissions={"ingest": {"leads": USERS[0].rights.permission, "/": WIDE}})
            )
        ),
        *("warning", "users", "leads", "user ingest also has rights in virtual host '/'"),
    ),
    "publisher's topic permission missing": (
        seen(broker=broker(accounts=accounts(**(PUBLISHER | {"topics": {}})))),
        *("wrong", "users", "crm", "its topic permission is missing"),
    ),
    "publisher of no source": (
        seen(
            broker=broker(
                accounts=accounts(**(PUBLISHER | {"users": {"crm": {"tags": ["leadbus-publisher"]}}}))
            )
        ),
        *("wrong", "users", "crm", "lost the tag that names its source"),
    ),
    "nobody consumes": (
        seen(broker=with_depth("normalizer.raw", 3, 0)),
        *("wrong", "queues", "normalizer.raw", "nobody consumes it, 3 messages wait"),
    ),
    "parked": (
        seen(broker=with_depth("adf-mailer.leads.parked", 2, 0)),
        *("warning", "queues", "adf-mailer.leads.parked", "2 messages on which the pipeline broke"),
    ),
    "unrouted": (
        seen(broker=with_depth("leadbus.unrouted", 1, 0)),
        *("warning", "queues", "leadbus.unrouted", "1 messages that no queue took"),
    ),
}


FOLLOW = {
    "no AMQP": {("warning", "queues", "leads")},
    "not ready, token refused": {("wrong", "token", "ingest")},
    "publisher of no source": {("warning", "users", "leads")},
}
"""What else follows from the same thing, and is said."""


@pytest.mark.parametrize("case", CASES)
def test_one_broken_thing_is_said_once_with_what_to_do(case: str) -> None:
    looked_at, level, check, subject, said = CASES[case]
    findings = judge(looked_at)
    matching = [
        it
        for it in findings
        if (it.level, it.check, it.subject) == (level, check, subject) and said in it.found
    ]
    assert len(matching) == 1, bad(findings)
    assert matching[0].do
    # What could not be seen is allowed to be said of what depends on it; all else is only the one thing.
    assert {*bad(findings)} - FOLLOW.get(case, set()) <= {(level, check, subject)}, bad(findings)


def test_everything_at_once_hides_nothing() -> None:
    """Broken in independent places: each is said beside the others."""
    parts = ("token ended", "role too low", "versions differ", "memory alarm")
    together = seen(
        token=CASES["token ended"][0].token,
        services=[
            service("ingest", diagnosis=Trouble("403", 403)),
            with_diagnosis("normalizer", database={"schema_state": "behind"}),
            replace(with_diagnosis("adf-mailer", version="1.1"), destinations=()),
        ],
        broker=replace(
            with_depth("leadbus.unrouted", 1, 0),
            cluster=ClusterSeen("4.0", "admin", [NODE | {"mem_alarm": True}]),
            topology=Trouble("TimeoutError"),
            accounts=accounts(topics={"ingest": {}}),
        ),
    )
    said = {(it.check, it.subject) for it in judge(together) if it.level is not Level.OK}
    assert said >= {(CASES[part][2], CASES[part][3]) for part in parts}
    assert said >= {
        ("schema", "normalizer"),
        ("topology", "leads"),
        ("users", "ingest"),
        ("queues", "leadbus.unrouted"),
    }
    levels = [it.level for it in judge(together)]
    assert levels == sorted(levels, key=list(Level).index), "the worst first"


def test_a_queue_of_a_service_that_this_deployment_does_not_run_needs_no_consumer() -> None:
    without = [each for each in seen().services if each.name != "adf-mailer"]
    assert bad(judge(seen(services=without, broker=with_depth("adf-mailer.leads", 0, 0)))) == []


def test_messages_that_nobody_consumes_are_said_wherever_their_service_is() -> None:
    without = [each for each in seen().services if each.name != "adf-mailer"]
    findings = judge(seen(services=without, broker=with_depth("adf-mailer.leads", 3, 0)))
    assert bad(findings) == [("warning", "queues", "adf-mailer.leads")]
    [said] = [it for it in findings if it.subject == "adf-mailer.leads"]
    assert "3 messages wait" in said.found
    assert "LEADBUS_ADF_MAILER_URL" in str(said.do)


def test_users_of_others_are_not_judged() -> None:
    assert bad(judge(seen(broker=broker(accounts=None)))) == []


def test_a_prefix_stands_before_every_user() -> None:
    plain = accounts()
    prefixed = Accounts(
        "leads",
        {f"staging.{name}": user for name, user in plain.users.items()},
        {f"staging.{name}": rights for name, rights in plain.permissions.items()},
        {f"staging.{name}": rights for name, rights in plain.topics.items()},
    )
    told = [with_diagnosis(name, broker={"user": f"staging.{name}"}) for name in NAMES]
    assert bad(judge(seen(services=told, broker=broker(prefix="staging.", accounts=prefixed)))) == []


def test_a_sound_publisher_is_no_finding() -> None:
    assert bad(judge(seen(broker=broker(accounts=accounts(**PUBLISHER))))) == []


@pytest.mark.parametrize("seconds", [0.5, 30])
def test_a_slow_answer_is_no_wrong_clock(seconds: float) -> None:
    """A clock is only as well known as the way of the answer is short."""
    slow = Answer(diagnosis("ingest"), NOW - timedelta(seconds=seconds), NOW)
    assert bad(judge(seen(services=services(service("ingest", diagnosis=slow))))) == []
