"""Words that stand in name fields without being the name. All in lower case, without full stops."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SALUTATIONS = _words(
    """
    mr mrs ms miss mx sir madam dr prof professor rev
    herr frau fräulein hr fr dipl ing
    monsieur madame mademoiselle m mme mlle
    signor signora sig señor señora sr sra srta
    dhr mevr господин госпожа г-н г-жа пан пані pan pani
    """
)
AMBIGUOUS_SALUTATIONS = frozenset({"m", "fr", "sr", "hr", "pan"})
"""Salutations only with a full stop, and before two words or more: `M. Jean Dupont`, `Pan Tau`."""

SUFFIXES = _words("jr sr jun sen junior senior ii iii iv phd md esq dds cpa mba dvm rn ret")

PARTICLES = _words(
    """
    van von vom zu zum zur de der den del della delle dello degli di da do dos das du des la le lo las los
    ter ten te af av bin bint ibn al el abu ben bat mac st san santa фон де ван дер
    """
)
"""Belong to the family name that follows."""

PLACEHOLDERS = _words(
    """
    anonymous anon unknown none null n/a na noname visitor guest customer shopper test tester user caller
    wireless unavailable private website неизвестно аноним гость посетитель unbekannt anonym inconnu
    """
)
PLACEHOLDER_PHRASES = frozenset(
    {
        "not provided",
        "not available",
        "no name",
        "chat visitor",
        "toll free call",
        "cell phone",
        "out of area",
    }
)
