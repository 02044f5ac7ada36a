"""Sets the handbook as a PDF and writes the table of stations: run by hand, the output is kept."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

HERE = Path(__file__).parent
DOCUMENTS = HERE / "documents"
STYLES = getSampleStyleSheet()
GRID = [("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("FONTNAME", (0, 0), (-1, 0), "Times-Bold")]

COLUMNS = (
    *("station", "district", "built", "tower height in metres", "range in nautical miles"),
    *("lamp", "light", "fog signal", "remark"),
)
NAMES = """
Adder Agate Alder Anchor Anvil Apple Arrow Ash Aster Auk Badger Barley Barrel Basalt Basket Beacon
Beaver Beech Birch Bittern Bramble Brandy Brine Bronze Bucket Butter Candle Castle Cedar Chalk
Cherry Cider Cinder Clover Cobalt Coffin Copper Coral Cormorant Cricket Crown Curlew Cypress Dagger
Daisy Dolphin Dragon Drum Eagle Eel Elder Elm Falcon Feather Fennel Ferry Fiddle Flint Fox Gannet
Garnet Ginger Goose Granite Hammer Harp Hawk Hazel Heather Heron Hornet Ivory Jasper Juniper Kestrel
Kettle Ladder Larch Lemon Linen Lobster Magpie Maple Marble Mason Mustard Nettle Oak Onyx Orchid
Osprey Otter Oyster Pearl Pepper Petrel Pigeon Plover Poplar Puffin Quartz Raven Saddle Salmon
Sandal Sickle Silver Sparrow Spindle Sulphur Swan Thistle Timber Tortoise Tulip Turnip Velvet Walnut
Whistle Willow Yarrow Zinc
"""
LANDMARKS = ("Head", "Point", "Ness", "Bank", "Skerry", "Island", "Haven")
DISTRICTS = ("North Skerra", "Inner Sound", "Long Bank", "South Cape")
# The number of each and the range agree with the table in the handbook.
LAMPS = {
    "wick lamp": (20, 9),
    "twin wick lamp": (24, 12),
    "vapour burner": (25, 16),
    "electric bulb": (23, 18),
    "solar diode": (30, 14),
}
REMARKS = (
    "The store of {} holds {} coils of rope.",
    "The landing of {} has {} steps.",
    "The garden of {} grows {} rows of cabbages.",
    "The well of {} is {} metres deep.",
    "The library of {} has {} books.",
    "The keepers of {} hold {} hens.",
    "The orchard of {} has {} plum trees.",
    "The cellar of {} holds {} barrels of salt.",
    "The stable of {} has room for {} goats.",
    "The boathouse of {} stands {} steps from the sea.",
    "The barometer of {} is {} years old.",
    "The kitchen of {} has {} copper pots.",
    "The chapel of {} has {} wooden seats.",
)
KNOWN = (
    "Gull Rock,North Skerra,1904,31,16,vapour burner,one white flash every 10 seconds,bell,"
    "The rock is covered by the sea at every spring tide.",
    "Cape Morrow,South Cape,1873,52,16,vapour burner,two white flashes every 15 seconds,none,"
    "The old fog gun stands in the garden of Cape Morrow.",
    "Thunder Head,Inner Sound,1888,27,19,electric bulb,one red flash every 12 seconds,horn,"
    "The horn of Thunder Head is the loudest of the coast.",
    "Saint's Landing,Long Bank,1897,44,9,wick lamp,steady white light,bell,"
    "The bell of Saint's Landing is called Old Patience.",
    "Hollow Ness,Long Bank,1880,29,16,vapour burner,three white flashes every 20 seconds,horn,"
    "The sea broke the lantern glass of Hollow Ness in 1926.",
    "Amber Point,South Cape,1934,24,18,electric bulb,one green flash every 6 seconds,none,"
    "The first electric light was lit at Amber Point.",
)


def handbook() -> Iterator[Flowable]:
    """The parts of handbook.txt: `=` title, `#` heading on a new page, `|` table, else prose."""
    first = True
    for block in (HERE / "handbook.txt").read_text(encoding="utf-8").split("\n\n"):
        if block.startswith("= "):
            title, subtitle = block.removeprefix("= ").splitlines()
            yield from (Paragraph(title, STYLES["Title"]), Paragraph(subtitle, STYLES["Heading2"]))
        elif block.startswith("# "):
            yield from () if first else (PageBreak(),)
            yield Paragraph(block.removeprefix("# "), STYLES["Heading1"])
            first = False
        elif block.startswith("|"):
            yield from (Table(cells(block), style=GRID), Spacer(0, 0.4 * cm))
        else:
            yield Paragraph(block, STYLES["BodyText"])


def cells(block: str) -> list[list[str]]:
    """The table of lines like `| one | two |`."""
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in block.splitlines()]


def number(canvas: Canvas, document: SimpleDocTemplate) -> None:
    """The page number at the foot, the same that a viewer shows."""
    canvas.drawCentredString(A4[0] / 2, 1.2 * cm, f"Lighthouse Handbook, page {document.page}")


def stations() -> Iterator[Sequence[object]]:
    """All 128 rows, always the same ones: the figures are spread by arithmetic, not by chance."""
    lamps = list(chain.from_iterable(repeat(kind, n) for kind, (n, _) in LAMPS.items()))
    for n, name in enumerate(NAMES.split()):
        lamp = lamps[n * 47 % len(lamps)]
        station = f"{name} {LANDMARKS[n % len(LANDMARKS)]}"
        yield [
            station,
            DISTRICTS[n % len(DISTRICTS)],
            1874 + n * 53 % 97,
            11 + n * 29 % 43,
            LAMPS[lamp][1] + n % 3 - 1,
            lamp,
            f"one {('white', 'red', 'green')[n % 3]} flash every {3 + n * 7 % 28} seconds",
            "none" if n > 116 else "horn" if n % 6 == 1 else "bell" if n % 3 == 0 else "none",
            REMARKS[n % len(REMARKS)].format(station, 12 + n * 31 % 89),
        ]
    yield from (row.split(",") for row in KNOWN)


def main() -> None:
    """Write both files."""
    document = SimpleDocTemplate(
        str(DOCUMENTS / "lighthouse-handbook.pdf"), title="Lighthouse Handbook", invariant=1
    )
    document.build(list(handbook()), onFirstPage=number, onLaterPages=number)
    rows = sorted(stations(), key=lambda row: str(row[0]))
    with (DOCUMENTS / "stations.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
