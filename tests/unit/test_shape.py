"""The taste of the code as tests: sizes, names, errors, clocks, docstrings, and documents that mention everything."""

import ast
import io
import re
import statistics
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from argus.__main__ import app
from contracts import errors
from contracts.features import FEATURES
from contracts.jobs import JOBS
from contracts.metrics import METRICS
from contracts.settings import Settings
from contracts.topics import TOPICS

ROOT = Path(__file__).parents[2]
BELOW_THE_EDGE = ("contracts", "models", "udfs", "jobs", "feature_store", "intelligence", "gateway", "pipelines")
SOURCE = (*BELOW_THE_EDGE, "argus", "benchmarks")
DOCUMENTED = ("contracts", "models", "jobs", "feature_store", "gateway", "pipelines")
LARGEST_MODULE, LARGEST_MEDIAN = 250, 100  # code lines: no blanks, comments or docstrings
FORBIDDEN_WORDS = {
    *("util", "utils", "helper", "helpers", "common", "misc", "manager", "service", "handler", "base", "impl"),
    *("old", "legacy", "experimental", "v2"),
}
ENTRY_POINTS = {"argus/__main__.py"}
WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
REGISTRIES = [
    ".".join(parts)  # in parts, so that this file names none
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("registry", "npmjs", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    )
]


@cache
def tracked() -> tuple[Path, ...]:
    """What git holds or would hold: no environment, no caches, no data."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    return tuple(ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file())


@cache
def modules(*folders: str) -> dict[str, ast.Module]:
    """The Python files under these folders, parsed, by their path from the root."""
    paths = (path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders)
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(paths)}


def listed(offences: list[str]) -> str:
    """All of them, one a line: pytest shortens a long list."""
    return "\n  ".join(["", *offences])


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function, nested ones and methods included."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def code_lines(text: str) -> int:
    """Lines that hold code."""
    quiet = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in quiet
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)


def words(name: str) -> set[str]:
    """`HTTPHandler_base` is http, handler, base."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}


def test_modules_stay_small() -> None:
    sizes = {path: code_lines((ROOT / path).read_text()) for path in modules(*SOURCE)}
    large = [f"{path}: {size}" for path, size in sizes.items() if size > LARGEST_MODULE]
    assert not large, listed(large)
    assert statistics.median(size for size in sizes.values() if size) < LARGEST_MEDIAN


def test_names_say_what_a_thing_is() -> None:
    named = [(path, Path(path).stem) for path in modules(*SOURCE, "tests")]
    for path, tree in modules(*SOURCE).items():
        named += [(path, node.name) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        named += [(path, node.name) for node in functions(tree)]
    offences = [f"{path}: {name}" for path, name in named if words(name) & FORBIDDEN_WORDS]
    assert not offences, listed(offences)


def test_every_error_stands_in_the_drawn_tree() -> None:
    drawn: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^    ([ │├└─]*)(\w+)(\s{2,}|$)", line):
            depth, name = len(found[1]), found[2]
            above = [(other, parent) for other, parent in above if other < depth]
            drawn[name] = above[-1][1] if above else None
            above.append((depth, name))
    classes = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert drawn == {
        name: None if kind is errors.ArgusError else kind.__mro__[1].__name__ for name, kind in classes.items()
    }


def test_types_are_learnt_while_modules_are_imported() -> None:
    # two threads that are the first to use a type crash msgspec 0.22; a Decoder at the top of a module is the first
    offences = [
        f"{path}:{node.lineno}: {ast.unparse(node)[:80]}"
        for path, tree in modules(*SOURCE).items()
        if path != "contracts/records.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _learns(node)
    ]
    assert not offences, listed(offences)


def _learns(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    return called == "msgspec.convert" or (
        called.startswith("msgspec.") and called.endswith("decode") and len(call.args) + len(call.keywords) > 1
    )


def test_errors_are_defined_in_one_place() -> None:
    known = set(vars(errors)) | {"Exception", "BaseException"}
    strays = [
        f"{path}: {node.name}"
        for path, tree in modules(*SOURCE).items()
        if path != "contracts/errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for parent in map(ast.unparse, node.bases)
        if parent.rpartition(".")[2] in known or parent.endswith("Error")
    ]
    assert not strays, listed(strays)


def test_no_broad_except_outside_the_entry_points() -> None:
    broad = {"", "Exception", "BaseException"}
    offences = [
        f"{path}:{node.lineno}"
        for path, tree in modules(*SOURCE).items()
        if path not in ENTRY_POINTS
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and {ast.unparse(kind) if kind else "" for kind in getattr(node.type, "elts", [node.type])} & broad
    ]
    assert not offences, listed(offences)


def test_fakes_are_arguments_and_nothing_is_mocked() -> None:
    offences = []
    for path, tree in modules(*SOURCE, "tests").items():
        for node in ast.walk(tree):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            origin = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            attribute = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if any("mock" in name for name in [*imported, origin]) or attribute in {"monkeypatch.setattr"}:
                offences.append(f"{path}:{node.lineno}")  # type: ignore[attr-defined]
    assert not offences, listed(offences)


def test_nearly_everything_is_annotated() -> None:
    slots = annotated = 0
    for tree in modules(*SOURCE).values():
        for node in functions(tree):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            wanted = [arg.annotation for arg in arguments if arg.arg not in {"self", "cls"}] + [node.returns]
            slots, annotated = slots + len(wanted), annotated + sum(found is not None for found in wanted)
    assert annotated / slots >= 0.95


def test_clock_and_environment_are_read_at_the_edge_alone() -> None:
    offences = []
    for path, tree in modules(*BELOW_THE_EDGE).items():
        inside_main = {id(inner) for node in functions(tree) if node.name == "main" for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in inside_main or path == "contracts/settings.py":
                continue
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            clock = called.replace("datetime.datetime", "datetime") in WALL_CLOCKS
            environment = isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
            if clock or environment:
                offences.append(f"{path}:{node.lineno}: {ast.unparse(node)}")  # type: ignore[attr-defined]
    assert not offences, listed(offences)


def test_modules_and_public_functions_say_what_they_promise() -> None:
    silent = []
    for path, tree in modules(*DOCUMENTED).items():
        public = [
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        silent += [path] * (ast.get_docstring(tree) is None)
        silent += [f"{path}: {node.name}" for node in public if ast.get_docstring(node) is None]
    assert not silent, listed(silent)


def test_every_model_carries_its_version() -> None:
    def versioned(tree: ast.Module) -> bool:
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        return any(ast.unparse(node.targets[0]) == "VERSION" and ast.literal_eval(node.value) >= 1 for node in assigned)

    models = {path: tree for path, tree in modules("models").items() if Path(path).stem != "__init__"}
    unversioned = [path for path, tree in models.items() if not versioned(tree)]
    assert not unversioned, listed(unversioned)


def commands(command: object, path: str = "argus") -> Iterator[str]:
    """Every command that can be typed."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, child in inner.items():
        yield from commands(child, f"{path} {name}")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("metric", [metric.name for metric in METRICS]),
        ("setting", [f"ARGUS_{name.upper()}" for name in Settings.model_fields]),
        ("topic", [topic.name for topic in TOPICS]),
        ("job", list(JOBS)),
        ("feature", [feature.name for feature in FEATURES]),
        ("command", list(commands(typer.main.get_command(app)))),
    ],
)
def test_everything_that_a_user_meets_is_in_the_docs(kind: str, names: list[str]) -> None:
    text = "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    silent = [name for name in names if name not in text]
    assert not silent, f"a {kind} without a word in docs/ or README.md:{listed(silent)}"


def test_the_alerts_ask_for_metrics_that_exist() -> None:
    told = set(re.findall(r"\bargus_[a-z_]+[a-z]", (ROOT / "docs/operations.md").read_text()))
    known = {metric.name for metric in METRICS}
    assert {name.removesuffix("_bucket") for name in told} <= known


def test_no_file_names_a_package_registry_or_puts_work_off() -> None:
    put_off = ("TO" + "DO", "FIX" + "ME")
    offences = []
    for path in tracked():
        if path.name == "uv.lock":
            continue  # generated, and its addresses are its purpose
        text = path.read_bytes().decode(errors="ignore")
        offences += [f"{path.relative_to(ROOT)}: {found}" for found in (*REGISTRIES, *put_off) if found in text]
    assert not offences, listed(offences)
