"""Reading YAML documents: what people write, and where an error is."""

from __future__ import annotations

from pathlib import Path

import pytest
from leadbus_cli.errors import CliError
from leadbus_cli.settings.files import read_documents

GOOD = """\
kind: Dealer
metadata:
  name: prairie
spec:
  name: Prairie Motors
  address:
    street:
      - 2200 W Ogden Ave
"""


def written(folder: Path, text: str, name: str = "a.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_documents_know_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "---\n---\n" + GOOD + "---\n" + GOOD.replace("prairie", "other"))
    first, second = read_documents([tmp_path])
    assert (str(first), str(second)) == ("Dealer/prairie", "Dealer/other")
    assert str(first.place()) == f"{path}:3"
    assert str(first.place("/spec/address/street/0")) == f"{path}:10"
    assert str(first.place("/spec/address/city")) == f"{path}:8", "the nearest thing around it"
    assert str(second.place("/metadata/name")) == f"{path}:14"


def test_folders_are_read_whole_and_in_order(tmp_path: Path) -> None:
    for name in ("b.yml", "a/z.yaml", "a/notes.txt"):
        written(tmp_path, GOOD.replace("prairie", Path(name).stem), name)
    assert [document.name for document in read_documents([tmp_path])] == ["z", "b"]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("040217", "040217"),
        ("40217", 40217),
        ("-3", -3),
        ("1.5", 1.5),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-04-14", "2026-04-14"),
        ("true", True),
        ("True", "True"),
        ("null", None),
        ("", None),
        ('"40217"', "40217"),
    ],
)
def test_scalars_mean_what_people_mean(tmp_path: Path, scalar: str, value: object) -> None:
    written(tmp_path, f"kind: A\nmetadata: {{name: b}}\nspec:\n  field: {scalar}\n")
    assert read_documents([tmp_path])[0].spec["field"] == value


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("kind: A\nspec: {}\n", 1, "kind, metadata and spec"),
        (GOOD + "status: {}\n", 1, "kind, metadata and spec"),
        (GOOD.replace("  name: prairie", "  nam: prairie"), 1, "metadata has a name"),
        (GOOD.replace("  name: prairie", "  name: 7"), 1, "are text"),
        ("kind: A\nmetadata: {name: b}\nspec: [1]\n", 1, "spec is a mapping"),
        ("- 1\n", 1, "kind, metadata and spec"),
        (GOOD + "  name: Again\n", 9, "name is given twice"),
        ("kind: A\nmetadata: {name: b}\nspec: {\n", 4, "not YAML"),
        ("kind: A\nmetadata: {name: b}\nspec: *nobody\n", 3, "not YAML"),
        ("kind: !!python/object:os.system A\nmetadata: {name: b}\nspec: {}\n", 1, "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(CliError) as caught:
        read_documents([tmp_path])
    assert caught.value.lines[0].startswith(f"{path}:{line}: ")
    assert says in caught.value.lines[0]


def test_the_same_setting_twice_names_both_places(tmp_path: Path) -> None:
    first, second = written(tmp_path, GOOD, "a.yaml"), written(tmp_path, GOOD, "b.yaml")
    with pytest.raises(CliError) as caught:
        read_documents([tmp_path])
    assert caught.value.lines == (f"{second}:1: Dealer/prairie stands in {first}:1 already",)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    for name in "abc":
        written(tmp_path, "- 1\n", f"{name}.yaml")
    with pytest.raises(CliError) as caught:
        read_documents([tmp_path])
    assert len(caught.value.lines) == 3


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\xfe\x00", b"---\n"], ids=["none", "empty", "bytes", "marker"]
)
def test_nothing_to_apply_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(CliError):
        read_documents([tmp_path])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"nowhere\.yaml does not exist"):
        read_documents([tmp_path / "nowhere.yaml"])
