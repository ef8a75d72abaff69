"""Contracts and command line as pages: one function a page, so that no page can say what the code does not."""

from collections.abc import Iterable

import msgspec
import typer
import typer.cli
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from contracts.features import FEATURES, VIEWS
from contracts.jobs import JOBS
from contracts.metrics import METRICS
from contracts.settings import Settings
from contracts.topics import DAY_MS, SEPARATOR, TOPICS, Topic

NOTE = "<!-- Written by `argus docs` from {source}; edit that. -->\n"


def page(title: str, source: str, *parts: str) -> str:
    """One Markdown page; blank parts fall out."""
    return (
        "\n\n".join([NOTE.format(source=source) + f"# {title}", *filter(None, (part.strip() for part in parts))]) + "\n"
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table; a bar within a cell is escaped."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def schema(topic: Topic) -> dict[str, object]:
    """The JSON Schema of the values on one topic."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": topic.name,
        **msgspec.json.schema(topic.record),
    }


def settings_page() -> str:
    """Every setting: variable, default, what is allowed, meaning."""
    allowed = Settings.model_json_schema(mode="serialization")["properties"]
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "" if default in (None, "", PydanticUndefined) else f"`{default}`"
        rows.append((f"`ARGUS_{name.upper()}`", shown, constraint(allowed[name]), field.description))
    return page(
        "Settings",
        "contracts/settings.py",
        "Read once, when a process starts. An environment variable wins over the line of the same name in"
        " `<data>/argus.env`, which `argus up` writes, and that over the default. A value out of its range, or a"
        " variable `ARGUS_…` that is not here, stops the process with a message that names it (exit status 2).",
        table(("variable", "default", "allowed", "meaning"), rows),
    )


def constraint(told: dict[str, object]) -> str:
    """What a JSON Schema allows, in a few words.

    >>> constraint({"type": "integer", "minimum": 1, "maximum": 9})
    'integer, 1 to 9'
    """
    if options := told.get("anyOf"):
        assert isinstance(options, list)
        return " or ".join(constraint(option) for option in options)
    if values := told.get("enum"):
        assert isinstance(values, list)
        return " ".join(f"`{value}`" for value in values)
    low, high = told.get("minimum"), told.get("maximum")
    limits = {
        (True, True): f", {low} to {high}",
        (True, False): f", at least {low}",
        (False, True): f", at most {high}",
    }.get((low is not None, high is not None), "")
    kind = str(told.get("$ref", "")).rpartition("/")[2] or str(told.get("type", "any"))
    if kind == "array":
        items = told.get("items")
        kind = f"list of {constraint(items) if isinstance(items, dict) else 'any'}"
    pattern = f", `{told['pattern']}`" if "pattern" in told else ""
    length = f", at most {told['maxLength']} characters" if "maxLength" in told else ""
    base64 = ", base64" if told.get("contentEncoding") == "base64" else ""
    return f"{kind}{limits}{length}{base64}{pattern}"


def topics_page() -> str:
    """Every topic: who writes and reads it, how it is kept, what a message carries."""
    parts = [
        "Values are JSON, attributes travel as headers (CloudEvents, binary mode). Under a namespace each name is"
        f" `<namespace>.<name>`. The parts of a key are joined by U+{ord(SEPARATOR):04X}. Arrival is the broker's own"
        " time stamp on every topic. Unknown fields are ignored, absent optional fields are null.",
    ]
    for topic in TOPICS:
        schemas = schema(topic)["$defs"]
        assert isinstance(schemas, dict)
        kept = "the last value of each key" if topic.kept_ms is None else f"{topic.kept_ms / DAY_MS:g} d"
        facts = [
            ("key", " ".join(f"`{part}`" for part in topic.key)),
            ("kept", f"{kept} (`cleanup.policy={topic.cleanup}`)"),
            ("largest message", f"{topic.max_bytes:,} bytes"),
            ("headers", " ".join(f"`{header}`" for header in topic.headers) or "those of CloudEvents alone"),
            ("ticks", "yes" if topic.ticks else "no"),
            ("written by jobs", " ".join(f"`{job.name}`" for job in JOBS.values() if topic in job.writes) or "none"),
            ("read by jobs", " ".join(f"`{job.name}`" for job in JOBS.values() if topic in job.reads) or "none"),
            ("schema", f"[{topic.name}.json](schemas/{topic.name}.json)"),
        ]
        parts += [f"## {topic.name}", table(("", ""), facts)]
        for record, told in schemas.items():
            needed = told.get("required", [])
            fields = [
                (f"`{name}`", "yes" if name in needed else "no", constraint(what))
                for name, what in told["properties"].items()
            ]
            parts += [f"`{record}`: {told['description']}", table(("field", "required", "value"), fields)]
    return page("Topics", "contracts/topics.py and contracts/records.py", *parts)


def features_page() -> str:
    """The catalogue: every key that is served, and where it comes from."""
    views = [(view.name, f"`{view.topic.name}`", f"`{view.job.name}`", f"`{view.table}`") for view in VIEWS]
    return page(
        "Feature catalogue",
        "contracts/features.py",
        "Each value is one Valkey key; under a namespace the key is `<namespace>:<key>`. A key lives for its TTL,"
        " counted by the clock of the job that computes it: when that job stops, the key vanishes.",
        table(
            ("key", "TTL s", "value", "unit", "meaning", "view"),
            ((f"`{f.view.entity}:{{id}}:{f.name}`", f.ttl_s, f.kind, f.unit, f.meaning, f.view.name) for f in FEATURES),
        ),
        "## Views",
        table(("view", "topic", "computed by job", "history in Postgres"), views),
    )  # fmt: skip


def metrics_page() -> str:
    """Every metric: kind, labels, meaning."""
    return page(
        "Metrics",
        "contracts/metrics.py",
        "Served as Prometheus text on `/metrics` by every process; each serves those that it keeps.",
        table(
            ("metric", "kind", "labels", "meaning"),
            ((f"`{m.name}`", m.kind, " ".join(f"`{label}`" for label in m.labels), m.meaning) for m in METRICS),
        ),
        *(f"Buckets of `{m.name}`: {' '.join(f'{bound:g}' for bound in m.buckets)}." for m in METRICS if m.buckets),
    )


def jobs_page() -> str:
    """Every Flink job: what it reads and writes, and the group that tells how far it has come."""
    rows = [
        (f"`{job.name}`", job.meaning, _names(job.reads), _names(job.writes), f"`{job.group('')}`")
        for job in JOBS.values()
    ]
    return page("Jobs", "contracts/jobs.py", table(("job", "computes", "reads", "writes", "consumer group"), rows))


def _names(topics: tuple[Topic, ...]) -> str:
    return " ".join(f"`{topic.name}`" for topic in topics)


def commands_page(app: typer.Typer) -> str:
    """Every command with its options, as Typer tells them."""
    root = typer.main.get_command(app)
    told = typer.cli.get_docs_for_click(obj=root, ctx=typer.Context(root, info_name="argus"), name="argus")
    return page("Commands", "the commands themselves", told.partition("\n")[2])
