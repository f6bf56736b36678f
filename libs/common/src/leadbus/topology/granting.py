"""Making the broker's users what is declared, in the order in which nobody has a right too many for a moment.

A user that writes to a topic exchange without a topic permission may use every routing key, and RabbitMQ
4.3 takes a topic permission only for an exchange that exists. So, for each user: nothing it may do while its
topic permission is missing → exchanges → user without a password → topic permission → permission → password.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from leadbus.topology import accounts as found_accounts
from leadbus.topology.accounts import Accounts, Declared
from leadbus.topology.credentials import Credentials, CredentialsError, NoCredentials, has_password
from leadbus.topology.management import Management, ManagementError
from leadbus.topology.users import NO_RIGHTS, USERS, Rights, User

_NO_PASSWORD = {"password_hash": ""}
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Users:
    """How users are to be made: names with `prefix`, passwords from `credentials`, new ones for `rotate`.

    A user that exists keeps its password unless it is named in `rotate` (by its declared name).
    """

    credentials: Credentials = field(default_factory=NoCredentials)
    prefix: str = ""
    rotate: frozenset[str] = frozenset()
    declared: tuple[User, ...] = USERS


class UsersError(Exception):
    """Users cannot be made as asked; nothing was changed. `reasons`: one line each, with what to do."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class _Password(Enum):
    """What to do about a user's password."""

    KEEP = "keep"
    GIVE = "give"
    GENERATE = "generate"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True)
class Granting:
    """What is about to be done: `passwords` by declared name."""

    users: Users
    accounts: Accounts
    declared: Declared
    passwords: Mapping[str, _Password]

    @classmethod
    async def planned(cls, management: Management, users: Users) -> Granting:
        """Looks, and changes nothing. Raises UsersError when it could not be carried out to the end."""
        accounts = await all_accounts(management)
        declared = Declared.on(accounts, users.prefix, users.declared)
        try:
            return cls(users, accounts, declared, _passwords(users, accounts))
        except CredentialsError as error:
            raise UsersError(str(error)) from error

    async def withhold(self, management: Management) -> None:
        """Before exchanges are made: who would be unguarded there has to wait for its topic permission."""
        for user in found_accounts.unguarded(self.accounts, self.declared):
            await management.set_permission(user, NO_RIGHTS.permission)
            await management.close_connections_of(user)

    async def grant(self, management: Management) -> tuple[str, ...]:
        """After the exchanges. Returns what was done, a sentence for each user that is not as it was."""
        done = {user: await self._service(management, user) for user in self.declared.services}
        for user, publisher in self.declared.publishers.items():
            done[user] = await self._existing(management, user, publisher.rights)
            if done[user] and publisher.source is None:
                done[user].append("no tag of it names a source, so it has no rights until it is added again")
        return tuple(f"{user}: {'; '.join(each)}" for user, each in done.items() if each)

    async def _service(self, management: Management, user: str) -> list[str]:
        existing = user in self.accounts.users
        if not existing:
            await management.put_user(user, {**_NO_PASSWORD, "tags": ""})
        done = await self._existing(management, user, self.declared.services[user].rights)
        return [*(done if existing else ["created"]), *await self._give_password(management, user)]

    async def _existing(self, management: Management, user: str, rights: Rights) -> list[str]:
        """Only what differs is written; who had other rights than it has now has to connect again."""
        done = []
        tags = self._tags(user)
        if elevated := [tag for tag in tags if tag in found_accounts.ELEVATED]:
            harmless = ",".join(tag for tag in tags if tag not in elevated)
            await management.put_user(user, {**_kept_password(self.accounts.users[user]), "tags": harmless})
            done.append(f"tags {', '.join(elevated)} taken away")
        if differences := found_accounts.drift(self.accounts, user, rights):
            for exchange, topic in rights.topic_permissions.items():
                await management.set_topic_permission(user, exchange, topic)
            await management.set_permission(user, rights.permission)
            done.append(f"rights corrected ({'; '.join(differences)})")
        if done:
            await management.close_connections_of(user)
        return done

    async def _give_password(self, management: Management, user: str) -> list[str]:
        plain, credentials = self.declared.services[user].name, self.users.credentials
        todo = self.passwords[plain]
        if todo is _Password.KEEP:
            kept = not credentials.generates or credentials.given(plain) is not None
            return [] if kept else ["keeps its password, which is not where generated ones are kept"]
        if todo is _Password.SETTLE:
            credentials.settle(plain)
            return ["the password of a run that was cut short is in force"]
        password = credentials.stage(plain) if todo is _Password.GENERATE else credentials.given(plain)
        tags = ",".join(tag for tag in self._tags(user) if tag not in found_accounts.ELEVATED)
        await management.put_user(user, {"password": password, "tags": tags})
        if todo is _Password.GENERATE:
            credentials.settle(plain)
        return ["new password"] if self.accounts.users.get(user) else []

    def _tags(self, user: str) -> list[str]:
        return list(self.accounts.users.get(user, {}).get("tags", ()))


def _passwords(users: Users, accounts: Accounts) -> dict[str, _Password]:
    names = {user.name for user in users.declared}
    reasons = [
        f"there is no user {name} to rotate: {', '.join(sorted(names))} are declared"
        for name in sorted(users.rotate - names)
    ]
    todo = {}
    for name in (user.name for user in users.declared):
        try:
            todo[name] = _password(users, accounts.users.get(users.prefix + name), name)
        except UsersError as error:
            reasons += error.reasons
    if reasons:
        raise UsersError(*reasons)
    return todo


def _password(users: Users, existing: Mapping[str, Any] | None, name: str) -> _Password:
    credentials = users.credentials
    staged = credentials.staged(name)
    if existing and staged is not None and has_password(existing, staged):
        return _Password.SETTLE
    given = credentials.given(name)
    if not existing or not existing.get("password_hash"):
        if given is None and not credentials.generates:
            raise UsersError(
                f"user {name} {'has no password' if existing else 'is not there'} and none is given: name a"
                " directory or file with passwords, let them be generated into a directory, or leave users"
                " alone"
            )
        return _Password.GENERATE if given is None else _Password.GIVE
    if name in users.rotate:
        return _rotated(credentials, existing, name, given)
    if given is not None and has_password(existing, given) is False:
        raise UsersError(
            f"the password given for {name} is not the one that it has: give the other one, or rotate {name}"
        )
    return _Password.KEEP


def _rotated(
    credentials: Credentials, existing: Mapping[str, Any], name: str, given: str | None
) -> _Password:
    if credentials.generates:
        return _Password.GENERATE
    if given is None:
        raise UsersError(f"no new password is given for {name}, and none is to be generated")
    return _Password.KEEP if has_password(existing, given) else _Password.GIVE


def _kept_password(user: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: user[key] for key in ("password_hash", "hashing_algorithm") if user.get(key)}
    return kept or _NO_PASSWORD


async def all_accounts(management: Management) -> Accounts:
    """Raises ManagementError, and UsersError when the asking user is no administrator."""
    try:
        return await Accounts.of(management)
    except ManagementError as error:
        if error.status != _UNAUTHORIZED:
            raise
        asking = await management.whoami()  # raises for a wrong password
        raise UsersError(
            f"user {asking.get('name')} of the management API has no tag administrator, so that it can"
            " neither see nor make users: give it the tag, or leave users alone"
        ) from error


async def differences(management: Management, users: Users) -> list[str]:
    """What is not as declared now. Raises ManagementError, UsersError."""
    accounts = await all_accounts(management)
    declared = Declared.on(accounts, users.prefix, users.declared)
    said: list[str] = []
    for user, rights in declared.rights.items():
        said += found_accounts.drift(accounts, user, rights)
    return said + found_accounts.elevated(accounts, declared)


async def surplus(management: Management, users: Users, administrators: Iterable[str]) -> tuple[str, ...]:
    """Users and rights beyond what is declared. Raises ManagementError, UsersError."""
    accounts = await all_accounts(management)
    declared = Declared.on(accounts, users.prefix, users.declared)
    return tuple(found_accounts.surplus(accounts, declared, administrators))
