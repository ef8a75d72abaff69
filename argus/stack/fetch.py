"""Ways to fetch jars: the machine's Maven where there is one, else Python alone."""

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from jgo.maven import MavenContext
from jgo.parse import Coordinate

from argus.stack.jars import LOCK, Fetch, Jar, sha256

WANTED = {
    "kafka": ("org.apache.kafka:kafka_2.13:4.1.1", "org.slf4j:slf4j-simple:1.7.36"),
    "flink": ("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",),
}
"""What the lock is made from: per folder the coordinates whose runtime dependencies it holds."""

MVN_DEADLINE_S = 600
HTTP_TIMEOUT_S = 60

_log = logging.getLogger(__name__)


def ways() -> Sequence[Fetch]:
    """In the order to try them. Maven first: it knows the machine's mirrors and proxies, but trusts its own cache."""
    return (by_mvn, by_jgo, by_jgo) if shutil.which("mvn") else (by_jgo, by_jgo, by_jgo)


def by_mvn(jars: list[Jar], into: Path) -> None:
    """Fetch with the machine's Maven, which knows its mirrors and proxies."""
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"
        for group, artifact, version in (jar.coordinate.split(":") for jar in jars)
    )
    pom = into / "pom.xml"
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>argus</groupId><artifactId>jars</artifactId>"
        f"<version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
    )
    command = ["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={into}"]
    try:
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=MVN_DEADLINE_S)
    except subprocess.TimeoutExpired:
        _log.warning("mvn took longer than %d s", MVN_DEADLINE_S)


def by_jgo(jars: list[Jar], into: Path) -> None:
    """Fetch in Python alone, a few at a time."""
    context = MavenContext(repo_cache=into / "repository", timeout=HTTP_TIMEOUT_S)

    def one(jar: Jar) -> None:
        group, artifact, version = jar.coordinate.split(":")
        try:
            got = context.project(group, artifact).at_version(version).artifact().resolve()
        except (OSError, RuntimeError) as failed:  # what its HTTP client and its resolver raise
            _log.warning("%s: %s", jar.coordinate, failed)
            return
        os.replace(got, into / Path(jar.path).name)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, jars))


def relock(lock: Path = LOCK) -> list[Jar]:
    """Resolve WANTED anew and write the lock: for whoever changes a version."""
    jars: list[Jar] = []
    with tempfile.TemporaryDirectory() as fresh:
        context = MavenContext(repo_cache=Path(fresh), timeout=HTTP_TIMEOUT_S)
        for folder, coordinates in WANTED.items():
            asked = [context.create_dependency(replace(Coordinate.parse(c), scope="compile")) for c in coordinates]
            given, found = context.resolver.resolve(asked)
            for dependency in [*given, *(one for one in found if one.scope in ("compile", "runtime"))]:
                path: Path = dependency.artifact.resolve()
                name = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
                jars.append(Jar(sha256(path), f"{folder}/{path.name}", name))
    jars.sort(key=lambda jar: jar.path)
    lock.write_text("".join(f"{jar.sha256} {jar.path} {jar.coordinate}\n" for jar in jars))
    return jars
