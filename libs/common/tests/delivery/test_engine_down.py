"""ENG: a destination that is down is left alone, and one probe of all replicas finds it well."""

from __future__ import annotations

from typing import Any

from leadbus.delivery import Delivered, Permanent, Transient

Bench = Any
Gate = Any


async def test_eng16_down_destination_opens_its_breaker_and_burns_no_try(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.plan(*(f"down:k{n}" for n in range(10)))
    await bench.until(lambda: len(bench.sink.acts) >= 3, engine)
    await bench.settle(engine)
    tried = len(bench.sink.acts)
    assert tried < 10, "left alone once it is known to be down"
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert destination["breaker"] == "open"
    assert destination["opened_at"] == bench.clock.now()

    bench.clock.advance(29)
    await bench.settle(engine)
    assert len(bench.sink.acts) == tried
    assert {row["failures"] for row in await bench.rows("SELECT failures FROM delivery")} == {0}


async def test_eng17_single_probe_of_all_replicas_finds_out(bench: Bench, gate: Gate) -> None:
    engines = [bench.engine(), bench.engine()]
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.plan(*(f"down:k{n}" for n in range(10)))
    await bench.settle(*engines)
    before = len(bench.sink.acts)
    bench.clock.advance(30)
    bench.sink.answer = gate.answer
    await bench.until(lambda: len(gate.waiting) == 1, *engines)
    for _ in range(20):
        for engine in engines:
            await engine.step()
    assert len(bench.sink.acts) == before + 1, "one probe"
    gate.opened.set()
    await bench.settle(*engines)
    bench.clock.advance(30)
    await bench.settle(*engines)
    assert {row["phase"] for row in await bench.rows("SELECT phase FROM delivery")} == {"delivered"}
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert (destination["breaker"], destination["consecutive_failures"]) == ("closed", 0)
    assert destination["opened_at"] is None


async def test_eng18_probe_whose_process_died_is_made_again(bench: Bench, gate: Gate) -> None:
    engine = bench.engine()
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.plan(*(f"down:k{n}" for n in range(5)))
    await bench.settle(engine)
    bench.clock.advance(30)
    bench.sink.answer = gate.answer
    dying = bench.engine(lease_seconds=60)
    await bench.until(lambda: len(gate.waiting) == 1, dying)
    bench.sink.always(Delivered())
    bench.clock.advance(61)
    await bench.settle(engine)
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert destination["breaker"] == "closed"
    gate.opened.set()
    await bench.settle(dying)


async def test_eng19_bad_addresses_are_not_a_bad_host(bench: Bench) -> None:
    bench.sink.always(Permanent("mailbox_unknown"))
    await bench.plan(*(f"host:k{n}" for n in range(20)))
    await bench.settle(bench.engine())
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert (destination["breaker"], destination["consecutive_failures"]) == ("closed", 0)
