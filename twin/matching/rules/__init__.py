"""The exchanges' trading rules as dated records with their source, and what they mean for instruments on a day."""

from twin.matching.rules.book import Rulebook
from twin.matching.rules.day import FREE_MULTIPLE, DayRules
from twin.matching.rules.listing import Listing, Product, Stage, Status
from twin.matching.rules.prices import limit_prices
from twin.matching.rules.values import Confidence, Record

__all__ = [
    "FREE_MULTIPLE",
    "Confidence",
    "DayRules",
    "Listing",
    "Product",
    "Record",
    "Rulebook",
    "Stage",
    "Status",
    "limit_prices",
]
