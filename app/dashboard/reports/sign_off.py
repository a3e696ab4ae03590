"""A page to sign: how much of the plan was seen, how much of it was right, and what is still open. PDF, one page.

Drawn by reportlab from text and lines alone: nothing in a name is read as markup, and nothing is fetched.
"""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import reportlab
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

MOST_OPEN: Final = 12
MOST_MISSING: Final = 16
MOST_CHARACTERS: Final = 400  # of a name; far more than a line holds
INK, FAINT, LINE = HexColor("#1f2430"), HexColor("#5d6573"), HexColor("#d5d9e0")
GOOD, BAD = HexColor("#1a7f45"), HexColor("#b3261e")
LEFT, RIGHT = 20 * mm, A4[0] - 20 * mm
# reportlab's own, so that they are there wherever it is.
FONTS: Final = Path(reportlab.__file__).parent / "fonts"
PLAIN = TTFont("Plain", FONTS / "Vera.ttf")
BOLD = TTFont("Bold", FONTS / "VeraBd.ttf")
NO_GLYPH: Final = "\u00bf"


@dataclass(frozen=True, slots=True)
class OpenViolation:
    """A group of violations that nobody has settled."""

    event: str
    path: str
    says: str
    severity: str
    count: int


@dataclass(frozen=True, slots=True)
class SignOff:
    """What stands on the page. coverage, pass_rate: as they are shown elsewhere. open_: most frequent first."""

    organisation: str
    app: str
    app_id: str
    plan_version: int | None
    scope: str
    made_at: datetime
    asked_by: str
    received: int
    counts: dict[str, int]
    pass_rate: str
    coverage: str
    seen: int
    planned: int
    missing: list[str]
    excluded: int
    open_: list[OpenViolation]


def page(told: SignOff) -> bytes:
    """The PDF."""
    for font in (PLAIN, BOLD):
        registerFont(font)
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, lang="en")
    canvas.setTitle(f"Sign-off of {_shown(told.app)}")
    canvas.setAuthor("Live Validation")
    pen = _Pen(canvas)
    _head(pen, told)
    _figures(pen, told)
    _missing(pen, told)
    _open(pen, told)
    _signatures(pen)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


class _Pen:
    """Writes lines from the top down; what is too long for its place is cut, and shows it."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.y = A4[1] - 24 * mm

    def text(
        self,
        text: str,
        x: float = LEFT,
        width: float = RIGHT - LEFT,
        *,
        size: float = 9.5,
        font: str = "Plain",
        colour: Color = INK,
        from_right: bool = False,
        whole: bool = False,
    ) -> None:
        """whole: made smaller until it fits, for a figure that is cut is a wrong one."""
        if whole:
            size = min(size, 0.99 * size * width / stringWidth(text, font, size))
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(colour)
        cut = _cut(_shown(text), font, size, width)
        draw = self.canvas.drawRightString if from_right else self.canvas.drawString
        draw(x, self.y, cut)

    def down(self, millimetres: float) -> None:
        self.y -= millimetres * mm

    def rule(self) -> None:
        self.canvas.setStrokeColor(LINE)
        self.canvas.setLineWidth(0.6)
        self.canvas.line(LEFT, self.y, RIGHT, self.y)

    def heading(self, text: str, beside: str = "") -> None:
        self.down(11)
        self.text(text, size=12, font="Bold")
        if beside:
            self.text(beside, RIGHT, 90 * mm, colour=FAINT, size=8.5, from_right=True)
        self.down(2.5)
        self.rule()
        self.down(5.5)


def _head(pen: _Pen, told: SignOff) -> None:
    pen.text("Validation sign-off", colour=FAINT, size=10)
    pen.down(9)
    pen.text(told.app, size=22, font="Bold")
    pen.down(5)
    plan = f"version {told.plan_version}" if told.plan_version else "none published"
    facts = (
        ("Organisation", told.organisation),
        ("App id", told.app_id),
        ("Tracking plan", plan),
        ("Events", told.scope),
        ("Asked for by", told.asked_by),
        ("Made", f"{told.made_at.astimezone(UTC):%d %B %Y, %H:%M} UTC"),
    )
    for name, value in facts:
        pen.down(5.6)
        pen.text(name, colour=FAINT)
        pen.text(value, LEFT + 34 * mm, RIGHT - LEFT - 34 * mm)
    pen.down(7)


def _figures(pen: _Pen, told: SignOff) -> None:
    wrong = sum(violation.count for violation in told.open_)
    counts = told.counts
    of_plan = f"{told.seen:,} of {told.planned:,} planned events seen"
    open_ = f"seen {wrong:,} time{'' if wrong == 1 else 's'}"
    figures = (
        ("Coverage", told.coverage, of_plan, INK if told.missing or not told.planned else GOOD),
        ("Pass rate", told.pass_rate, f"{counts['valid']:,} valid, {counts['invalid']:,} invalid", INK),
        (
            "Received",
            f"{told.received:,}",
            f"{counts['unplanned']:,} unplanned, {counts['exempt']:,} exempt",
            INK,
        ),
        ("Open violations", f"{len(told.open_):,}", open_, BAD if told.open_ else GOOD),
    )
    width, top = (RIGHT - LEFT) / len(figures), pen.y
    pen.rule()
    for number, (name, value, more, colour) in enumerate(figures):
        x = LEFT + number * width
        for text, below, size, font, shade in (
            (name, 6, 8.5, "Plain", FAINT),
            (value, 15, 20, "Bold", colour),
            (more, 20.5, 7, "Plain", FAINT),
        ):
            pen.y = top - below * mm
            pen.text(text, x, width - 3 * mm, size=size, font=font, colour=shade, whole=True)
    pen.y = top - 25 * mm
    pen.rule()


def _missing(pen: _Pen, told: SignOff) -> None:
    excluded = f"{told.excluded:,} left out of coverage on purpose" if told.excluded else ""
    pen.heading("Planned, not seen", excluded)
    if not told.missing:
        pen.text("Every planned event was seen." if told.planned else "There is no plan.", colour=FAINT)
        return
    half = (RIGHT - LEFT) / 2
    shown = told.missing[:MOST_MISSING]
    for number, name in enumerate(shown):
        pen.text(name, LEFT + half * (number % 2), half - 4 * mm)
        if number % 2 or number == len(shown) - 1:
            pen.down(5)
    _more(pen, len(told.missing) - len(shown), "events")


def _open(pen: _Pen, told: SignOff) -> None:
    pen.heading("Open violations", "without known, muted and resolved ones")
    if not told.open_:
        pen.text("None.", colour=FAINT)
    for violation in told.open_[:MOST_OPEN]:
        pen.text(violation.event, LEFT, 54 * mm, font="Bold", size=8.5)
        pen.text(violation.path or "–", LEFT + 56 * mm, 44 * mm, size=8.5)
        says = violation.says if violation.severity == "error" else f"{violation.says} ({violation.severity})"
        pen.text(says, LEFT + 102 * mm, 48 * mm, size=8.5, colour=FAINT)
        pen.text(f"{violation.count:,} ×", RIGHT, 19 * mm, size=8.5, from_right=True, whole=True)
        pen.down(5)
    _more(pen, len(told.open_) - MOST_OPEN, "groups of violations")


def _more(pen: _Pen, count: int, what: str) -> None:
    if count > 0:
        pen.text(f"… and {count:,} more {what}: the validation summary has all.", colour=FAINT, size=8.5)


def _signatures(pen: _Pen) -> None:
    pen.y = 22 * mm
    pen.canvas.setStrokeColor(INK)
    for x, width, name in (
        (LEFT, 70, "Name"),
        (LEFT + 76 * mm, 60, "Signature"),
        (LEFT + 142 * mm, 28, "Date"),
    ):
        pen.canvas.line(x, pen.y, x + width * mm, pen.y)
        pen.y -= 4 * mm
        pen.text(name, x, colour=FAINT, size=8)
        pen.y += 4 * mm


def _shown(text: str) -> str:
    """What the font has of it; for each other character a mark."""
    known = BOLD.face.charToGlyph
    return "".join(c if ord(c) in known and c.isprintable() else NO_GLYPH for c in text[:MOST_CHARACTERS])


def _cut(text: str, font: str, size: float, width: float) -> str:
    if stringWidth(text, font, size) <= width:
        return text
    while text and stringWidth(f"{text}…", font, size) > width:
        text = text[:-1]
    return f"{text}…"
