"""What a person can do after a demonstration, as commands that can be pasted."""

import shlex
import shutil
import sys
from pathlib import Path

from argus.demo.recording import Recording
from argus.demo.stage import Stage, authorization


def next_steps(on: Stage, recorded: Recording, file: Path, *, keep: bool, extra: str) -> str:
    """What a person can do now; `extra` are the options that `file` was read with."""
    argus = _near(Path(sys.executable).with_name("argus"))
    data = on.settings.data.expanduser().resolve()
    at = "" if data == Path(".argus").resolve() else f"ARGUS_DATA={_near(data)} "
    if not keep:
        return _listed(
            "Nothing was left running. Try next:",
            ("the same again, and everything stays for you to look at", f"{at}{argus} demo --keep"),
            ("the same events as fast as they go", f"{at}{argus} demo --from {_near(file)}{extra} --speed max"),
            ("an empty stack for results of your own; docs/commands.md has the rest", f"{at}{argus} up --detach"),
        )
    namespace, key = on.settings.namespace, f"project:{recorded.projects[0]}:failure_rate_24h"
    cli = next((name for name in ("valkey-cli", "redis-cli") if shutil.which(name)), None)
    read = f'(. {_near(data / "argus.env")}; {cli} -u "${{ARGUS_VALKEY/valkey:/redis:}}" GET {namespace}:{key})'
    return _listed(
        f"Everything runs and ticks on in namespace {namespace}; `{at}{argus} down` stops it.\n"
        f"  Flink    {on.settings.flink}\n  gateway  {on.gateway}\nTry next:",
        ("a key with its age", f"{at}ARGUS_NAMESPACE={namespace} {argus} features get {key}"),
        ("over HTTP", f"curl -H @{_near(authorization(on.settings))} {on.gateway}/api/v1/features/{key}"),
        ("with any Valkey client", read) if cli else ("the jobs on the cluster", f"{at}{argus} jobs"),
    )


def _listed(head: str, *steps: tuple[str, str]) -> str:
    return "\n".join([head, *(f"  {words}\n    $ {command}" for words, command in steps)])


def _near(path: Path) -> str:
    """The path as it is typed from here."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
