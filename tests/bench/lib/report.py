"""Medians, tables and the file of results."""

import json
import os
import statistics
import unicodedata


class Samples:
    """Readings of one thing over the rounds."""

    def __init__(self, values=()):
        self.values = list(values)

    def add(self, value):
        self.values.append(value)

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    def to_json(self):
        return {"median": self.median, "values": self.values}


def figure(value):
    """Three digits that matter, or all of a whole number with separators."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(samples):
    """Median with the range behind it."""
    if not samples.values:
        return "-"
    if len(samples.values) == 1:
        return figure(samples.median)
    return f"{figure(samples.median)} ({figure(min(samples.values))}-{figure(max(samples.values))})"


def ratio(value, other):
    return f"{value / other:.2f}" if value is not None and other else "-"


def _width(text):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def table(title, heads, rows):
    """Prints a table; the first column is text, the others are figures."""
    cells = [heads, *([figure(cell) for cell in row] for row in rows)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(heads))]
    print(f"\n{title}")
    for number, row in enumerate(cells):
        line = row[0] + " " * (widths[0] - _width(row[0]))
        for cell, width in zip(row[1:], widths[1:]):
            line += "  " + " " * (width - _width(cell)) + cell
        print(f"  {line.rstrip()}")
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))


class Store:
    """The file of results. A run replaces what it measured and keeps the rest."""

    def __init__(self, path):
        self.path = path
        self.values = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.values = json.load(file)

    def get(self, *keys):
        value = self.values
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return None
            value = value[key]
        return value

    def put(self, value, *keys):
        place = self.values
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value
        self.save()

    def save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.values, file, indent=1, sort_keys=True,
                      default=lambda value: value.to_json())
            file.write("\n")
        os.replace(self.path + ".new", self.path)
