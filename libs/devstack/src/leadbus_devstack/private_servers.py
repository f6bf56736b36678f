"""Servers of a test's own, to be killed, frozen, alarmed and filled up."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from leadbus_devstack import postfix, postgres, rabbitmq
from leadbus_devstack.data import scratch_directory
from leadbus_devstack.errors import ServerMissingError
from leadbus_devstack.resolve import Source, Way, resolve_postfix, resolve_postgres, resolve_rabbitmq
from leadbus_devstack.small_disk import SmallDisk


@contextlib.contextmanager
def private_rabbitmq() -> Iterator[rabbitmq.NativeRabbitMQ]:
    """A RabbitMQ that nobody else uses (about 6 s). Raises ServerMissingError where none can be had."""
    programs = rabbitmq.find_programs()
    if programs is None:
        raise ServerMissingError(_no_native(resolve_rabbitmq(use_url=False)))
    with _place("rabbitmq") as directory:
        server = rabbitmq.NativeRabbitMQ(programs, directory, directory / "rabbitmq.log")
        with _running(server):
            yield server


@contextlib.contextmanager
def private_postgres(
    *, disk: SmallDisk | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[postgres.NativePostgres]:
    """A Postgres that nobody else uses, with fsync on (about 1 s); its data on `disk` if there is one.

    Raises ServerMissingError where none can be had.
    """
    programs = postgres.find_programs()
    if programs is None:
        raise ServerMissingError(_no_native(resolve_postgres(use_url=False)))
    with _place("postgres") as directory:
        data = directory if disk is None else disk.directory
        server = postgres.NativePostgres(
            programs, data, directory / "postgres.log", settings=dict(settings or {})
        )
        with _running(server):
            yield server


@contextlib.contextmanager
def private_postfix(
    *,
    certificate: Path | None = None,
    ports: Mapping[str, int] | None = None,
    bounces_port: int = 0,
    listeners: Mapping[str, Mapping[str, str]] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[postfix.NativePostfix]:
    """A Postfix of its own, running (under a second). What the arguments mean: `NativePostfix`.

    Raises ServerMissingError where none can be had.
    """
    resolve_postfix()
    programs = postfix.find_programs()
    assert programs is not None, "resolved"
    with _place("postfix") as directory:
        server = postfix.NativePostfix(
            programs,
            directory,
            directory / "mail.log",
            certificate=certificate,
            ports=dict(ports or {}),
            bounces_port=bounces_port,
            listeners=listeners or {},
            settings=settings or {},
        )
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """A file system of its own size. Raises DevstackError where this user may not mount one."""
    with _place("disk") as directory:
        disk = SmallDisk(directory / "mounted", megabytes)
        disk.mount()
        try:
            yield disk
        finally:
            disk.unmount()


@contextlib.contextmanager
def _place(label: str) -> Iterator[Path]:
    directory = scratch_directory(label)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _running(server: rabbitmq.NativeRabbitMQ | postgres.NativePostgres) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        if server.process.running:
            server.process.kill()  # its data go too: nothing is worth a polite end


def _no_native(source: Source) -> str:
    if source.way is Way.NATIVE:
        return "installed just now; run again"
    return f"a server that can be killed needs the native program; {source} cannot be"
