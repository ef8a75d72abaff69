"""python -m argus.demo --data DIR --namespace NS --port NAME=PORT...: the processes of a demonstration's namespace."""

import argparse
import asyncio
from pathlib import Path

from argus.demo.company import PORTS, keep
from contracts.settings import read_settings


def main() -> None:
    """The entry point."""
    parser = argparse.ArgumentParser(prog="python -m argus.demo", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    for name in PORTS:
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    settings = read_settings(data=given.data, namespace=given.namespace, clock="replay")
    asyncio.run(keep(settings, {name: getattr(given, name) for name in PORTS}))


if __name__ == "__main__":
    main()
