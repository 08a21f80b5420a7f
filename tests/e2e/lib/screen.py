"""What a person sees: a block of lines drawn in place on a terminal, plain lines anywhere else."""

import os
import shutil
import sys

_STYLES = {"": "", "bold": "1", "dim": "2", "good": "32", "warning": "33", "bad": "31",
           "accent": "36"}
_ASCII = str.maketrans({"█": "#", "·": "-", "→": ">", "►": ">", "─": "-", "µ": "u", "…": "~"})


def _may_draw(rows):
    size = shutil.get_terminal_size()
    return (sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
            and size.lines > rows and size.columns >= 60)


class Screen:
    """A line is a list of pieces: a text, or a pair of text and style."""

    def __init__(self, rows, plain=False):
        self.live = not plain and _may_draw(rows)
        self.colours = (sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
                        and not plain and "NO_COLOR" not in os.environ)
        self.unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self.drawn = 0

    def _render(self, line, width):
        parts = []
        for piece in line:
            text, style = piece if isinstance(piece, tuple) else (piece, "")
            text = text if self.unicode else text.translate(_ASCII)
            # What came from a peer must not move the cursor.
            text = "".join(c if c.isprintable() else "?" for c in text)
            text = text[:max(0, width)]
            width -= len(text)
            code = _STYLES[style] if self.colours else ""
            parts.append(f"\x1b[{code}m{text}\x1b[0m" if code and text else text)
        return "".join(parts)

    def _put(self, text):
        # What the terminal's encoding does not know must not end the program.
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()

    def draw(self, lines):
        """Draws the block over the one before. A terminal made smaller gets what fits."""
        if not self.live:
            return
        size = shutil.get_terminal_size()
        lines = lines[:size.lines - 1]
        back = f"\x1b[{self.drawn}A" if self.drawn else "\x1b[?25l"
        body = "".join(f"{self._render(line, size.columns - 1)}\x1b[K\n" for line in lines)
        self._put(f"{back}\r{body}\x1b[J")
        self.drawn = len(lines)

    def say(self, *line):
        """A line that stays."""
        self._put(self._render(line, sys.maxsize) + "\n")

    def erase(self):
        """Takes the block away and gives the cursor back."""
        if self.live:
            back = f"\x1b[{self.drawn}A" if self.drawn else ""
            self._put(f"{back}\r\x1b[J\x1b[?25h")
            self.drawn = 0


def bar(value, whole, width):
    """A bar of at most `width`; what is there shows at least one cell."""
    if value <= 0 or whole <= 0:
        return ""
    return "█" * max(1, round(width * value / whole))


def count(value):
    return f"{value:,}"


def duration(nanoseconds):
    """To two digits or so, with its unit."""
    if nanoseconds < 1000:
        return f"{nanoseconds} ns"
    if nanoseconds < 1000000:
        return f"{nanoseconds / 1000:.0f} µs"
    return f"{nanoseconds / 1000000:.1f} ms"
