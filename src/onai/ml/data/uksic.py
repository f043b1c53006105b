"""UK SIC 2007 as a `Taxonomy`: the one place that knows what its codes look like.

A five-digit code carries its own group and class; only the section letter has to be known, and it follows from the
division. Section names below and the short division names are this project's wording, good enough to read a result
by; the official titles are used wherever a structure file is at hand.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from onai.ml.errors import DataError
from onai.ml.taxonomy import Row, Taxonomy

LEVELS = ("section", "division", "group", "class", "subclass")

_TABLE = """\
A Farming, forestry, fishing
  01 Crops and livestock
  02 Forestry and logging
  03 Fishing and fish farming
B Mining and quarrying
  05 Coal mining
  06 Oil and gas extraction
  07 Metal ore mining
  08 Quarrying, other mining
  09 Mining support
C Manufacturing
  10 Food making
  11 Drinks making
  12 Tobacco products
  13 Textiles
  14 Clothing making
  15 Leather and footwear
  16 Wood products
  17 Paper products
  18 Printing and copying recordings
  19 Coke and refined petroleum
  20 Chemicals
  21 Pharmaceuticals
  22 Rubber and plastic products
  23 Glass, ceramics, cement, stone
  24 Basic metals
  25 Metal goods
  26 Computers, electronics, optics
  27 Electrical equipment
  28 Machinery
  29 Motor vehicles
  30 Ships, aircraft, trains, cycles
  31 Furniture making
  32 Jewellery, toys, instruments, other goods
  33 Repair and installation of machinery
D Electricity and gas supply
  35 Electricity, gas, steam supply
E Water, sewerage, waste
  36 Water supply
  37 Sewerage
  38 Waste collection and recycling
  39 Clean-up of polluted land and water
F Construction
  41 Building construction
  42 Roads, railways, utilities
  43 Building trades
G Trade and vehicle repair
  45 Vehicle trade and repair
  46 Wholesale
  47 Retail
H Transport and storage
  49 Land transport and pipelines
  50 Shipping
  51 Air transport
  52 Warehousing and transport support
  53 Post and couriers
I Hotels and food service
  55 Hotels and other lodging
  56 Restaurants, bars, catering
J Information and communication
  58 Publishing
  59 Film, television, music
  60 Broadcasting
  61 Telecoms
  62 Software and IT consulting
  63 Data hosting, portals, news agencies
K Finance and insurance
  64 Banking, other finance
  65 Insurance and pensions
  66 Brokers and fund managers
L Real estate
  68 Property dealing, letting, managing
M Professional and scientific
  69 Legal and accounting
  70 Head offices, management consulting
  71 Architecture, engineering, testing
  72 Research and development
  73 Advertising, market research
  74 Design, photography, translation, other
  75 Veterinary
N Business support
  77 Rental and leasing
  78 Employment agencies
  79 Travel agencies, tour operators
  80 Security
  81 Cleaning, facilities, landscaping
  82 Office support, call centres, events
O Government
  84 Government, defence, social security
P Education
  85 Education
Q Health and social care
  86 Health care
  87 Care homes
  88 Social work at home and in the community
R Arts and leisure
  90 Performing and creative arts
  91 Libraries, museums, zoos
  92 Betting and gambling
  93 Sport and leisure
S Other services
  94 Membership organisations
  95 Repair of computers, household goods
  96 Personal services
T Households
  97 Households employing staff
  98 Households producing for own use
U International bodies
  99 Embassies, international organisations
"""


def _read_table() -> dict[str, Row]:
    rows: dict[str, Row] = {}
    section = ""
    for line in _TABLE.splitlines():
        code, title = line.split(maxsplit=1)
        section = code if code.isalpha() else section
        rows[code] = (code, None if code == section else section, title)
    return rows


_TOP_ROWS = _read_table()
SECTION_OF_DIVISION: dict[str, str] = {code: parent for code, parent, _ in _TOP_ROWS.values() if parent is not None}
_CODE = re.compile(r"(\d{2})[. ]?(\d{2})(?:[/. ]?(\d))?")


def section_of(code: str) -> str:
    """Return the section letter of a division or anything below it. Raises `DataError` for no such division."""
    section = SECTION_OF_DIVISION.get(code[:2])
    if section is None:
        raise DataError(f"UK SIC 2007 has no division {code[:2]!r} (code {code!r})")
    return section


def parse_code(value: str, *, zero_lost: bool = True) -> str | None:
    """Return a five-digit code, or None when `value` is not one.

    Accepts "01110", "01.11/0", "01110.0" (a number cell) and, with `zero_lost`, "1110": a code whose leading zero a
    spreadsheet dropped. Turn that off where zeros are kept, for there "1110" is the class 11.10.
    """
    text = value.strip().removesuffix(".0")
    if zero_lost and re.fullmatch(r"[1-9]\d{3}", text):
        text = f"0{text}"
    match = _CODE.fullmatch(text)
    if match is None or match.group(3) is None or match.group(1) not in SECTION_OF_DIVISION:
        return None
    return "".join(match.groups())


def build_taxonomy(codes: Iterable[str] = (), structure: Path | None = None) -> Taxonomy:
    """Return UK SIC 2007: all sections and divisions, and the groups, classes and subclasses of `codes`.

    `codes` may be of any level. `structure`: a csv with the columns code and description, whose official titles
    (and codes) are taken. Raises `DataError` for a code outside the classification or an unreadable file.
    """
    rows = dict(_TOP_ROWS)
    titles = _official_titles(structure) if structure is not None else {}
    for code in {*codes, *titles}:
        _add_path(rows, code)
    # The structure lists a class without subclasses only as its five-digit code: both carry the title.
    for code, title in sorted(titles.items(), reverse=True):
        for same in (code, code[:4]) if len(code) == 5 and code.endswith("0") else (code,):
            if same not in titles or same == code:
                rows[same] = (same, rows[same][1], title)
    return Taxonomy(rows.values(), levels=LEVELS, name="UK SIC 2007")


def _add_path(rows: dict[str, Row], code: str) -> None:
    if code in rows:
        return
    if not re.fullmatch(r"\d{3,5}", code):
        raise DataError(f"{code!r} is not a UK SIC 2007 code", "Codes are a letter or two to five digits, as text.")
    parent = section_of(code)
    for length in range(2, len(code) + 1):
        step = code[:length]
        rows.setdefault(step, (step, parent, ""))
        parent = step


def _official_titles(structure: Path) -> dict[str, str]:
    try:
        with open(structure, newline="", encoding="utf-8-sig") as source:
            return {row["code"]: row["description"].strip() for row in csv.DictReader(source)}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DataError(f"{structure.name} is not a structure file: {error}", "It needs code, description.") from None
