"""Countries as ADF documents name them."""

from __future__ import annotations

import phonenumbers

from normalizer.sources.adf.words import squeezed

_NAMES = {
    **dict.fromkeys(("usa", "unitedstates", "unitedstatesofamerica", "america", "estadosunidos"), "US"),
    **dict.fromkeys(("can", "canada"), "CA"),
    **dict.fromkeys(("mex", "mexico", "méxico"), "MX"),
    **dict.fromkeys(("uk", "gbr", "unitedkingdom", "greatbritain", "england"), "GB"),
    **dict.fromkeys(("deu", "germany", "deutschland"), "DE"),
    **dict.fromkeys(("fra", "france"), "FR"),
    **dict.fromkeys(("aus", "australia"), "AU"),
    **dict.fromkeys(("pri", "puertorico"), "PR"),
}


def read_country(written: str) -> str | None:
    """ISO 3166 alpha-2, from itself in any case, alpha-3 or a name where ADF is spoken."""
    word = squeezed(written)
    if word in _NAMES:
        return _NAMES[word]
    code = word.upper()
    return code if code in phonenumbers.SUPPORTED_REGIONS else None
