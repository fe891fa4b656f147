"""Run every benchmark by itself, and write one page of what they print.

One that fails, or takes longer than --minutes, is a row that says so. The page is
written anew after each, so that a run that is cut off leaves what is done.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("sktandem", "scikit-learn", "numpy", "scipy", "pandas", "torch", "skorch")
ENDED, USAGE = 124, 2  # exit statuses of what took too long, and of arguments


def processor():
    """Return the name of the processor, and how many of its cores there are."""
    names = [platform.processor() or platform.machine()]
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return f"{os.cpu_count()} cores of {names[0]}" if names else platform.machine()


def versions():
    """Return what the benchmarks run with."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    commit = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(commit, capture_output=True, text=True, check=False)
    return ", ".join(found + ([f"commit {done.stdout.strip()}"] if done.stdout else []))


def run(path, seconds):
    """Return how a benchmark ended, what it printed, and how long it took."""
    environment = {"OMP_NUM_THREADS": "1"} | os.environ
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, path],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        status, printed, said = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        status, printed, said = ENDED, (error.stdout or b"").decode(), ""
    return status, printed, said, time.perf_counter() - start


def outcome(status, said, seconds):
    """Return in words how a benchmark ended."""
    last = (said.strip().splitlines() or [f"exit status {status}"])[-1]
    return {
        0: "done",
        ENDED: f"ended after {seconds / 60:g} minutes",
        USAGE: f"not run: {last}",
    }.get(status, f"FAILED: {last}").replace("|", "\\|")


def page(rows, load):
    """Return the page: where it was measured, how each ended, and what it printed."""
    lines = [
        "# Benchmarks",
        "",
        f"`make bench-all` on {processor()}, one thread each, at a load of {load:.1f} "
        f"when it began. {versions()}.",
        "",
        "| benchmark | s | |",
        "| --- | ---: | --- |",
        *(f"| {name} | {took:.0f} | {told} |" for name, told, _, took in rows),
    ]
    for name, told, printed, _ in rows:
        text = printed.rstrip() or told
        lines += ["", f"## {name}", "", "```", f"$ python benchmarks/{name}.py"]
        lines += [text, "```"]
    return "\n".join(lines) + "\n"


def main(arguments=None):
    """Run the benchmarks; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="such as bench_merge; by default all")
    parser.add_argument("--folder", type=Path, default=HERE, help="of the benchmarks")
    parser.add_argument("--page", type=Path, default=Path("build/bench/index.md"))
    parser.add_argument("--minutes", type=float, default=15, help="for each, at most")
    given = parser.parse_args(arguments)
    load, rows, failed = os.getloadavg()[0], [], False
    paths = sorted(given.folder.glob("bench_*.py"))
    given.page.parent.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if given.names and path.stem not in given.names:
            continue
        status, printed, said, took = run(path, 60 * given.minutes)
        told = outcome(status, said, 60 * given.minutes)
        failed |= status not in (0, USAGE)
        rows.append((path.stem, told, printed, took))
        given.page.write_text(page(rows, load), encoding="utf-8")
        print(f"{path.stem}: {told}, {took:.0f} s", flush=True)
    print(f"Written to {given.page}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
