"""Submit jobs to the cluster of the settings: python -m jobs --connector JAR --code DIR NAME[=SAVEPOINT]...

One client for all of them, because starting it costs seconds. Prints one line of JSON per job as it is accepted.
"""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

from contracts.jobs import JOBS
from contracts.settings import read_settings
from jobs.cluster import configuration


def main() -> None:
    """The entry point."""
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    parser.add_argument("--connector", type=Path, required=True, help="the Kafka connector's jar")
    parser.add_argument("--code", type=Path, required=True, help="the folder of code that is shipped")
    parser.add_argument("--explain", action="store_true", help="submit nothing, print the plans")
    parser.add_argument("jobs", nargs="+", help="NAME or NAME=SAVEPOINT")
    given = parser.parse_args()
    settings = read_settings()
    for wanted in given.jobs:
        name, _, savepoint = wanted.partition("=")
        job = JOBS[name]
        configured = configuration(
            job, settings, connector=given.connector, code=given.code, savepoint=savepoint or None
        )
        statements = import_module(job.module).build(job, settings, configured)
        if given.explain:
            sys.stdout.write(statements.explain() + "\n")
            continue
        client = statements.execute().get_job_client()
        sys.stdout.write(json.dumps({"job": name, "id": str(client.get_job_id())}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
