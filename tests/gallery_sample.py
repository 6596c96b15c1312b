"""Names the tests that train a sample of the slow gallery, another one on every day of the year.

    python tests/gallery_sample.py [DATE]

The tag `slow` of a recipe holds the seconds that it trains on one core, where they were measured; those of the sample
add up to no more than SECONDS.
"""

import datetime
import re
import sys
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
SECONDS = 120
SLOW = re.compile(r'slow: "(\d+)"')


def seconds_by_name():
    """Return how long each slow recipe trains, as far as its tag says."""
    found = {path: SLOW.search(path.read_text(encoding="utf-8")) for path in sorted(RECIPES.rglob("*.yaml"))}
    return {str(path.relative_to(RECIPES).with_suffix("")): int(m[1]) for path, m in found.items() if m}


def sample(day):
    """Return the recipes of a day: those whose turn it is, as many as fit."""
    seconds = seconds_by_name()
    names = list(seconds)
    first = day.toordinal() * 3 % len(names)
    chosen, total = [], 0
    for name in names[first:] + names[:first]:
        if total + seconds[name] <= SECONDS:
            chosen.append(name)
            total += seconds[name]
    return chosen


if __name__ == "__main__":
    day = datetime.date.fromisoformat(sys.argv[1]) if len(sys.argv) > 1 else datetime.date.today()
    print(*(f"tests/test_gallery.py::test_it_keeps_its_claims[{name}]" for name in sample(day)), sep="\n")
