"""The element names of ADF 1.0."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BRANCHES = _words(
    """
    adf prospect vehicle colorcombination option finance customer timeframe vendor provider contact address
    """
)
"""Elements that hold elements."""

LEAVES = _words(
    """
    requestdate year make model vin stock trim doors bodystyle transmission odometer condition interiorcolor
    exteriorcolor preference imagetag price pricecomments optionname manufacturercode weighting method amount
    balance description earliestdate latestdate comments vendorname url service name email phone street
    apartment city regioncode postalcode country id
    """
)
"""Elements that hold text alone."""

NAMES = BRANCHES | LEAVES
