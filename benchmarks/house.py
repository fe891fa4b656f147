"""How large is the house: what stands in each room, and what makes code hard to read.

Run with ``make house``, or ``python benchmarks/house.py FOLDER`` for another package.
Code is what is neither docstring nor comment nor blank.
"""

import ast
import graphlib
import io
import re
import sys
import tokenize
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

RUN = 6  # lines of code that stand twice before they count as a copy
MANY = 15  # methods in the body of one class
IMPORT = re.compile("import |from ")
NAMED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class File:
    """A file of the package, taken apart."""

    def __init__(self, path, root):
        text = path.read_text(encoding="utf-8")
        parts = path.relative_to(root).with_suffix("").parts
        self.module = ".".join(part for part in parts if part != "__init__")
        self.room = self.module.split(".")[0] or "__init__"
        self.tree = ast.parse(text)
        self.nodes = list(ast.walk(self.tree))
        self.docs = set()
        for node in self.nodes:
            if isinstance(node, NAMED) and ast.get_docstring(node, clean=False):
                doc = node.body[0]
                self.docs.update(range(doc.lineno, doc.end_lineno + 1))
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        comments = [token for token in tokens if token.type == tokenize.COMMENT]
        self.n_comments = len({token.start[0] for token in comments})
        alone = {t.start[0] for t in comments if not t.line[: t.start[1]].strip()}
        self.code = [
            (number, line.strip())
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and number not in self.docs and number not in alone
        ]
        self.classes = [n for n in self.nodes if isinstance(n, ast.ClassDef)]
        self.functions = [n for n in self.nodes if isinstance(n, ast.FunctionDef)]

    def imports(self, package, modules):
        """Return the modules of the package that this file imports as it loads."""
        found = set()
        for node in self.nodes:
            if isinstance(node, ast.ImportFrom) and node.module:
                if node.module.split(".")[0] != package:
                    continue
                own = node.module.partition(".")[2]
                names = {f"{own}.{alias.name}".strip(".") for alias in node.names}
                found |= {name for name in names if name in modules} or {own}
        return {name for name in found if name in modules and name != self.module}


def length(function):
    """Return the lines of a function's code, without its docstring."""
    body = function.body
    if ast.get_docstring(function) and len(body) > 1:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1


def methods(cls):
    """Return the methods in the body of a class, overloads of one name once."""
    found = [node for node in cls.body if isinstance(node, ast.FunctionDef)]
    return list({node.name: node for node in found}.values())


def n_parameters(cls):
    """Return how many parameters the constructor takes."""
    for method in methods(cls):
        if method.name == "__init__":
            taken = method.args
            return len(taken.posonlyargs + taken.args + taken.kwonlyargs) - 1
    return 0


def copies(files):
    """Return how many runs of RUN lines of code or more stand in a second place."""
    seen, found = defaultdict(list), 0
    lines = {}
    for file in files:
        kept = [
            line for _, line in file.code if not line.startswith(("import", "from"))
        ]
        lines[file.module] = kept
        for start in range(len(kept) - RUN + 1):
            # Brackets and bare names, as in a list of parameters, are no idea.
            run = tuple(kept[start : start + RUN])
            if sum(len(line) > len("self.name = name") for line in run) >= RUN // 2:
                seen[run].append((file.module, start))
    twice = {place for places in seen.values() if len(places) > 1 for place in places}
    for module, start in sorted(twice):
        found += (module, start - 1) not in twice  # a longer run counts once
    return found


def in_reach(files, name):
    """Return how many methods an instance of a class has from the package."""
    classes = {cls.name: cls for file in files for cls in file.classes}
    reached, waiting = set(), [name]
    while waiting:
        cls = classes.get(waiting.pop())
        if cls is not None:
            reached |= {method.name for method in methods(cls)}
            waiting += [base.id for base in cls.bases if isinstance(base, ast.Name)]
    return len(reached)


def circles(files, package):
    modules = {file.module for file in files if file.module}
    graph = {f.module: f.imports(package, modules) for f in files if f.module}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError:
        return 1
    return 0


def public_names(files):
    """Return how many names the package says it has at the top."""
    top = next(file for file in files if not file.module)
    lists = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in top.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Tuple)
    }
    return len({name for names in lists.values() for name in names})


def main(root):
    files = [File(path, root) for path in sorted(root.rglob("*.py"))]
    rooms = Counter()
    print(f"{'room':20}{'files':>7}{'code':>8}{'docstring':>11}{'comment':>9}")
    sums = defaultdict(lambda: [0, 0, 0, 0])
    for file in files:
        rooms[file.room] += 1
        row = (1, len(file.code), len(file.docs), file.n_comments)
        for name in (file.room, "all"):
            sums[name] = [a + b for a, b in zip(sums[name], row, strict=True)]
    for name in [*sorted(rooms), "all"]:
        n_files, code, docs, comments = sums[name]
        print(f"{name:20}{n_files:7}{code:8}{docs:11}{comments:9}")

    classes = [cls for file in files for cls in file.classes]
    functions = [length(function) for file in files for function in file.functions]
    large = [c.name for c in classes if len(methods(c)) > MANY]
    widest = max(classes, key=n_parameters)
    text = [c.name for f in files if f.room == "text" for c in f.classes]
    text = max(text, key=lambda name: in_reach(files, name), default="")
    code, comments = sums["all"][1], sums["all"][3]
    for what, value in [
        ("rooms", len(rooms)),
        ("comments per 100 lines of code", f"{100 * comments / code:.1f}"),
        ("public names at the top", public_names(files)),
        (f"classes of more than {MANY} methods", f"{len(large)} {large or ''}"),
        ("most parameters", f"{n_parameters(widest)} ({widest.name})"),
        ("methods in reach of a text estimator", f"{in_reach(files, text)} ({text})"),
        (f"copied runs of {RUN} lines of code", copies(files)),
        ("median function, lines", median(functions)),
        ("longest function, lines", max(functions)),
        ("functions over 20 lines", f"{sum(n > 20 for n in functions)}"),
        ("import circles", circles(files, root.name)),
    ]:
        print(f"{what:40}{value}")


if __name__ == "__main__":
    main(
        Path(*sys.argv[1:])
        if sys.argv[1:]
        else Path(__file__).parents[1] / "src/sktandem"
    )
