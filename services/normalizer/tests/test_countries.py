"""Countries by name and by code."""

from __future__ import annotations

import csv
from importlib import resources
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from normalizer.domain.countries import read_country

with resources.files("normalizer.domain").joinpath("countries.csv").open(encoding="utf-8") as _file:
    ROWS = list(csv.DictReader(_file))
COLUMNS = ("alpha2", "alpha3", "numeric", "en", "fr", "de", "es", "it")


@pytest.mark.parametrize(
    ("case", "written", "country"),
    [
        ("CO1", "Germany", "DE"),
        ("CO2", "Allemagne", "DE"),
        ("CO3", "Deutschland", "DE"),
        ("CO4", "Alemania", "DE"),
        ("CO5", "Germania", "DE"),
        ("CO6", "de", "DE"),
        ("CO7", "DEU", "DE"),
        ("CO8", "276", "DE"),
        ("CO9", " ÉTATS-UNIS ", "US"),
        ("CO10", "Etats Unis", "US"),
        ("CO11", "U.S.A.", "US"),
        ("CO12", "UK", "GB"),
        ("CO13", "Grossbritannien", "GB"),
        ("CO14", "Korea, Republic of", "KR"),
        ("CO15", "Korea, Democratic People's Republic of", "KP"),
        ("CO16", "Bosnia and Herzegovina", "BA"),
        ("CO17", "Bosnia & Herzegovina", "BA"),
        ("CO18", "Saint Lucia", "LC"),
        ("CO19", "St. Lucia", "LC"),
        ("CO20", "Côte d’Ivoire", "CI"),
        ("CO21", "Cote d'Ivoire", "CI"),
        ("CO22", "Oesterreich", "AT"),
        ("CO23", "Türkiye", "TR"),
        ("CO24", "Tuerkei", "TR"),
        ("CO25", "The Netherlands", "NL"),
        ("CO26", "Congo", "CG"),
        ("CO27", "Congo, The Democratic Republic of the", "CD"),
        ("CO28", "Niger", "NE"),
        ("CO29", "Nigeria", "NG"),
        ("CO30", "Guinea-Bissau", "GW"),
        ("CO31", "Guinea Ecuatorial", "GQ"),
        ("CO32", "Russian Federation", "RU"),
        ("CO33", "Kosovo", "XK"),
        ("CO34", "Dominica", "DM"),
        ("CO35", "Dominican Republic", "DO"),
        ("CO36", "Atlantis", None),
        ("CO42", "St Christophe et Nieves", "KN"),
        ("CO37", "", None),
        ("CO38", "...", None),
        ("CO39", "EU", None),
        ("CO40", "the", None),
        ("CO41", "France" * 1_000, None),
    ],
)
def test_written_countries(case: str, written: str, country: str | None) -> None:
    assert read_country(written) == country


@pytest.mark.parametrize("column", COLUMNS)
def test_every_code_and_name_of_the_table_is_read(column: str) -> None:
    assert [row["alpha2"] for row in ROWS if row[column] and read_country(row[column]) != row["alpha2"]] == []


def test_every_other_name_is_read() -> None:
    others = [(row["alpha2"], name) for row in ROWS for name in row["also"].split(";") if name]
    assert [name for country, name in others if read_country(name) != country] == []


def test_the_table_is_whole() -> None:
    assert len(ROWS) == 250
    assert [row["alpha2"] for row, column in product(ROWS, COLUMNS) if not row[column]] == ["XK"]
    for column in COLUMNS[:3]:
        codes = [row[column] for row in ROWS if row[column]]
        assert len(set(codes)) == len(codes)


@given(st.text(max_size=150))
def test_any_text_is_a_country_or_none(written: str) -> None:
    assert read_country(written) in {None, *(row["alpha2"] for row in ROWS)}
