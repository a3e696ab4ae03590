"""The formats that a rule can ask of a text: those that jsonschema-rs checks, and lists of our own as patterns.

A pattern keeps the rules' schema plain JSON Schema, and a check costs no call into Python.
"""

from typing import Final

CHECKED: Final = frozenset(
    ("email", "uri", "uri-reference", "uuid", "ipv4", "ipv6", "hostname", "date", "date-time", "time")
    + ("duration", "regex", "idn-email", "idn-hostname", "iri", "json-pointer")
)
# ISO 3166-1, the codes in use in 2026.
_COUNTRIES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
# ISO 4217, the codes in use in 2026 and those replaced since 2022 (HRK, SLL, ANG, BGN …): old events carry them.
# Not the metals, the bonds and the test codes: nobody pays with them.
_CURRENCIES: Final = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP
LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN
PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS
TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW
ZWG ZWL
"""
_NUMBER: Final = "(?:0|[1-9][0-9]*)"
_LABEL: Final = "[0-9A-Za-z-]"
# Semantic Versioning 2.0.0: a number in a pre-release has no leading zero, one in a build may.
_PRE: Final = f"(?:{_NUMBER}|[0-9]*[A-Za-z-]{_LABEL}*)"

PATTERNS: Final = {
    "country": f"^(?:{'|'.join(_COUNTRIES.split())})$",
    "currency": f"^(?:{'|'.join(_CURRENCIES.split())})$",
    "semver": rf"^{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?(?:\+{_LABEL}+(?:\.{_LABEL}+)*)?$",
}
BY_PATTERN: Final = {pattern: name for name, pattern in PATTERNS.items()}
FORMATS: Final = CHECKED | PATTERNS.keys()
