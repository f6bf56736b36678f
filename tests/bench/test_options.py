"""The command line, as far as nothing is measured."""

from __future__ import annotations

import pytest
from leadbus_devstack.errors import DevstackError, ServerMissingError
from leadbus_devstack.resolve import FORCE

from tests.bench.__main__ import GROUPS, choose, read_options, refuse_forgetful


def test_without_options_everything_is_measured_three_times() -> None:
    options = read_options([])
    assert (options.only, options.rounds, options.scale) == ([], 3, 1.0)


def test_quick_is_one_smaller_round() -> None:
    options = read_options(["--quick", "--rounds", "9", "--only", "growth"])
    assert (options.only, options.rounds) == (["growth"], 1)
    assert options.scale < 1


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--rounds", "many"], ["--only", "made_up"]])
def test_what_makes_no_sense_ends_with_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_options(words)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_every_group_can_be_asked_for_by_a_name_of_its_own() -> None:
    names = [group.name for group in GROUPS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_a_server_that_forgets_is_not_measured(name: str) -> None:
    durable = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    refuse_forgetful(durable)
    with pytest.raises(DevstackError, match=f"{name}=off"):
        refuse_forgetful(durable | {name: "off"})


def test_what_cannot_be_had_is_left_out_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FORCE, "docker")
    chosen = {group.name for group in choose(read_options([]))}
    assert {group.name for group in GROUPS} - chosen == {"postfix_deliveries", "postfix_sink"}
    assert "left out: postfix_sink. No Postfix to be had" in capsys.readouterr().out
    with pytest.raises(ServerMissingError):
        choose(read_options(["--only", "postfix_sink"]))
