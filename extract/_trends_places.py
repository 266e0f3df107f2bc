"""Regions as the site names them, in English; other languages are mapped in the settings."""

from __future__ import annotations

from collections.abc import Mapping

# ISO 3166-1 alpha-2.
_COUNTRIES = {
    "AE": "United Arab Emirates", "AR": "Argentina", "AT": "Austria", "AU": "Australia",
    "BD": "Bangladesh", "BE": "Belgium", "BG": "Bulgaria", "BR": "Brazil", "CA": "Canada",
    "CH": "Switzerland", "CL": "Chile", "CN": "China", "CO": "Colombia", "CZ": "Czechia",
    "DE": "Germany", "DK": "Denmark", "EE": "Estonia", "EG": "Egypt", "ES": "Spain",
    "FI": "Finland", "FR": "France", "GB": "United Kingdom", "GR": "Greece", "HK": "Hong Kong",
    "HR": "Croatia", "HU": "Hungary", "ID": "Indonesia", "IE": "Ireland", "IL": "Israel",
    "IN": "India", "IS": "Iceland", "IT": "Italy", "JP": "Japan", "KE": "Kenya",
    "KR": "South Korea", "LT": "Lithuania", "LU": "Luxembourg", "LV": "Latvia", "MA": "Morocco",
    "MX": "Mexico", "MY": "Malaysia", "NG": "Nigeria", "NL": "Netherlands", "NO": "Norway",
    "NZ": "New Zealand", "PE": "Peru", "PH": "Philippines", "PK": "Pakistan", "PL": "Poland",
    "PT": "Portugal", "RO": "Romania", "RS": "Serbia", "RU": "Russia", "SA": "Saudi Arabia",
    "SE": "Sweden", "SG": "Singapore", "SI": "Slovenia", "SK": "Slovakia", "TH": "Thailand",
    "TR": "Türkiye", "TW": "Taiwan", "UA": "Ukraine", "US": "United States", "VN": "Vietnam",
    "ZA": "South Africa",
}  # fmt: skip
_WORLD = (
    "worldwide", "weltweit", "dans le monde entier", "tous les pays", "monde", "todo el mundo",
    "todo o mundo", "em todo o mundo", "mundial", "tutto il mondo", "in tutto il mondo",
    "wereldwijd", "hela världen", "hele verden", "hele verden", "koko maailma", "cały świat",
    "celý svět", "tüm dünya", "dünya geneli", "весь мир", "увесь світ", "すべての国", "全世界",
    "世界中", "전 세계", "seluruh dunia", "toàn cầu", "दुनिया भर में", "جميع أنحاء العالم",
    "בכל העולם",
)  # fmt: skip
_KNOWN = {name.casefold(): code for code, name in _COUNTRIES.items()}
_KNOWN |= {"turkey": "TR", "czech republic": "CZ", **dict.fromkeys(_WORLD, "")}


def geo_of(region: str, regions: Mapping[str, str]) -> str | None:
    """ISO code of a region's name, empty for the world; None if nobody knows it.

    `regions` are names and codes of the settings, which come first.
    """
    own = {name.casefold(): code for name, code in regions.items()}
    name = region.casefold()
    return own.get(name, _KNOWN.get(name))
