"""How much of each room the tests reach: lines and branches, from coverage's JSON."""

import json
import sys
from collections import defaultdict
from pathlib import Path

COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")
MOST_FILES = 10


def share(covered, every):
    return f"{100 * covered / every:6.1f}" if every else "     -"


def main(path):
    rooms, files = defaultdict(lambda: [0] * len(COUNTS)), []
    for name, file in json.loads(Path(path).read_text())["files"].items():
        room = Path(name.partition("sktandem/")[2]).parts[0].removesuffix(".py")
        counts = [file["summary"][count] for count in COUNTS]
        for key in (room, "all"):
            rooms[key] = [a + b for a, b in zip(rooms[key], counts)]
        lines, every, branches, ways = counts
        files.append((every - lines + ways - branches, name))
    print(f"{'room':20}{'lines':>9}{'% reached':>11}{'branches':>10}{'% reached':>11}")
    for room in sorted(rooms, key=lambda room: (room == "all", room)):
        lines, every, branches, ways = rooms[room]
        told = f"{every:9}{share(lines, every):>11}{ways:10}{share(branches, ways):>11}"
        print(f"{room:20}{told}")
    print("\nMost lines and branches that no test reaches:")
    for missed, name in sorted(files, reverse=True)[:MOST_FILES]:
        print(f"{missed:6}  {name}")


if __name__ == "__main__":
    main(sys.argv[1])
