"""The image's files, without an engine: what they say is there and fits, and their commands run as they stand."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from tests.postgres import postgres_server
from tracker.adapters.key_files import make_jwks

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
INSTRUCTIONS = [
    (name, rest)
    for name, rest in re.findall(
        r"^([A-Z]+) (.+)$",
        re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " "),
        re.MULTILINE,
    )
]
FINAL = INSTRUCTIONS[max(i for i, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
ROLES = ("api", "receiver", "worker")
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
ENVIRONMENT = dict(re.findall(r"(\w+)=(\S+)", next(rest for name, rest in FINAL if name == "ENV")))


def last(name: str) -> str:
    """What the image says last of something."""
    return [rest for found, rest in FINAL if found == name][-1]


class Container:
    """Stands for one: the image's environment, and folders and ports of our own for the image's."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder = folder
        for name in ("data", "tmp", "home"):
            (folder / name).mkdir(exist_ok=True)
        self.mounts = {"/data": folder / "data"}
        self.ports = {port: str(free_port()) for port in ("8080", "8081", "8082", "9000", "5432")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "COVERAGE"))}
        own = {name: value for name, value in ENVIRONMENT.items() if name != "PATH"}
        places = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
        path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.environment = kept | own | places | path | more

    def of(self, service: dict[str, Any]) -> "Container":
        """Another one on the same machine, as a service of the trial says: its volumes and its environment."""
        other = copy(self)
        volumes = [volume.split(":") for volume in service["volumes"] if not volume.startswith(".")]
        other.mounts = {place: self.folder / name for name, place, *_ in volumes}
        for folder in other.mounts.values():
            folder.mkdir(exist_ok=True)
        said = {name: self.here(value) for name, value in service["environment"].items() if name != "TRACKER_CONFIG"}
        other.environment = self.environment | {"TRACKER_HTTP__PORT": self.ports["8080"]} | said
        return other

    def here(self, text: str) -> str:
        """Put our places in the place of the image's."""
        text = text.replace("/opt/tracker/healthy.py", str(DOCKER / "healthy.py"))
        places = "|".join(self.mounts)
        text = re.sub(rf"(?<![\w.])({places})\b", lambda found: str(self.mounts[found[1]]), text)
        text = text.replace("postgres:5432", "127.0.0.1:5432")
        return re.sub(r"\b(8080|8081|8082|9000|5432)\b", lambda found: self.ports[found[0]], text)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        words = [self.here(word) for word in command]
        return subprocess.run(
            words,
            cwd=self.mounts["/data"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def running(self, *command: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a command until it is stopped as an engine stops it."""
        words = [self.here(word) for word in command]
        process = subprocess.Popen(
            words,
            cwd=self.mounts["/data"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.send_signal(getattr(signal, last("STOPSIGNAL")))
            out, errors = process.communicate(timeout=30)
        assert process.returncode == 0, out + errors

    def healthy(self, check: list[str], status: int = 0) -> None:
        """Wait until a health check says so."""
        deadline = time.monotonic() + 30
        while (done := self.run(*check)).returncode != status:
            assert time.monotonic() < deadline, done
            time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# ---------------------------------------------------------------------------------------------- the image


def test_what_is_copied_is_there_and_reaches_the_build() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = [
        word for name, rest in INSTRUCTIONS if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    assert copied
    assert [word for word in copied if not (ROOT / word).exists()] == []
    assert set(copied) == let_in


def test_the_build_brings_all_that_the_package_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {word for name, rest in INSTRUCTIONS if name == "COPY" for word in rest.split()[:-1]}
    needed = [*wheel["packages"], *wheel["force-include"], project["project"]["readme"]]
    assert {*needed, *project["project"]["license-files"], "requirements.lock"} <= copied


def test_it_is_not_root_and_writes_in_one_place() -> None:
    user = last("USER")
    assert re.fullmatch(r"\d{4,}:\d{4,}", user), "a number, so that an engine can tell that it is not root"
    (made,) = [rest for name, rest in FINAL if name == "RUN"]
    assert f"--uid {user.partition(':')[0]} " in made
    assert last("WORKDIR") == last("VOLUME") == "/data"
    assert ENVIRONMENT["PYTHONDONTWRITEBYTECODE"] == "1"
    names = [name for name, _ in FINAL]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in {"RUN", "COPY"})


def test_its_command_serves_and_its_health_check_knows(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.environment["TRACKER_HTTP__PORT"] = container.ports["8080"]
    command = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
    check = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert container.run(*check).returncode == 1
    with container.running(*command):
        container.healthy(check)
        wrong = container.run("python", "/opt/tracker/healthy.py", "8080", "/nowhere")
        assert (wrong.returncode, wrong.stdout) == (1, "/nowhere answered 404\n")
    assert container.run(*check).returncode == 1
    assert {path.name.partition(".db")[0] for path in (tmp_path / "data").iterdir()} == {"tracker"}
    assert [path for name in ("tmp", "home") for path in (tmp_path / name).iterdir()] == []


# ---------------------------------------------------------------------------------------------- the trial


def words_of(service: dict[str, Any]) -> list[str]:
    entrypoint = service.get("entrypoint", json.loads(last("ENTRYPOINT")))
    return [*entrypoint, *(word.replace("$$", "$") for word in service.get("command", json.loads(last("CMD"))))]


def test_every_container_of_the_trial_is_locked_down() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        written = {volume.split(":")[0] for volume in service["volumes"] if not volume.endswith(":ro")}
        assert written == {{"postgres": "postgres", "password": "password"}.get(name, "data")}
    users = {name: service.get("user", last("USER")) for name, service in COMPOSE["services"].items()}
    assert all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users.values()), users
    # Who has the record has no key, and the password goes to nobody else.
    has = {name: {v.split(":")[0] for v in service["volumes"]} for name, service in COMPOSE["services"].items()}
    assert "data" not in has["postgres"]
    assert {name for name, volumes in has.items() if "password" in volumes} == {"password", "setup", "postgres"}
    assert COMPOSE["volumes"].keys() == {"data", "password", "postgres"}


def test_everything_that_the_trial_names_is_there() -> None:
    services = COMPOSE["services"]
    assert (DOCKER / services["hub"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / services["hub"]["build"]["dockerfile"]).is_file()
    mounted = [volume.split(":")[0] for service in services.values() for volume in service["volumes"]]
    assert [place for place in mounted if place.startswith(".") and not (DOCKER / place).is_file()] == []
    assert {place for place in mounted if not place.startswith(".")} == COMPOSE["volumes"].keys()
    for service in services.values():
        assert service.get("depends_on", {}).keys() <= services.keys()
        assert service.get("network_mode", "service:hub") in {"service:hub", "none"}
    published = {port.split(":")[1] for port in services["hub"]["ports"]}
    listening = {services[role]["environment"].get("TRACKER_HTTP__PORT", "8080") for role in ROLES}
    assert published == listening
    assert len(listening) == len(ROLES)


def test_the_roles_begin_when_the_database_has_its_schema() -> None:
    services = COMPOSE["services"]
    said = {word for role in ROLES for word in services[role]["command"]}
    assert said == {"serve", "--roles", *ROLES}
    for role in ROLES:
        assert services[role]["depends_on"] == {"schema": {"condition": "service_completed_successfully"}}
    assert services["schema"]["command"] == ["db", "upgrade"]
    assert services["schema"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert re.fullmatch(r"postgres:\d\d-\w+", services["postgres"]["image"])
    # While the image sets a database up, a server answers at the socket that will be stopped again.
    assert "--host=127.0.0.1" in services["postgres"]["healthcheck"]["test"]


@pytest.fixture
def trial(tmp_path: Path) -> Container:
    container = Container(tmp_path)
    toml = tmp_path / "trial.toml"
    toml.write_text(container.here((DOCKER / "trial.toml").read_text("utf-8")))
    container.environment["TRACKER_CONFIG"] = str(toml)
    return container


@contextmanager
def database_of(trial: Container) -> Iterator[None]:
    """What the image of PostgreSQL makes of its environment: a user with the password, and a database of his."""
    said = COMPOSE["services"]["postgres"]["environment"]
    beside = trial.of(COMPOSE["services"]["setup"])
    password = Path(beside.here(said["POSTGRES_PASSWORD_FILE"])).read_text("utf-8").strip()
    with postgres_server("listen_addresses=127.0.0.1", f"port={trial.ports['5432']}", "fsync=off") as server:
        folder = Path(str(make_url(server.url).query["host"]))
        server.url = f"{server.url}&port={trial.ports['5432']}"
        server.execute(f"ALTER ROLE {said['POSTGRES_USER']} PASSWORD '{password}'")
        server.execute(f'CREATE DATABASE "{said["POSTGRES_DB"]}"')
        rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (folder / "data" / "pg_hba.conf").write_text(rules)
        server.execute("SELECT pg_reload_conf()")
        yield


def done(container: Container, name: str) -> str:
    """Run one of the services that end."""
    service = COMPOSE["services"][name]
    ended = container.of(service).run(*words_of(service))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.timeout(120)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the README talks to the API with curl")
def test_the_trial_comes_up_and_a_consent_is_authorized(trial: Container) -> None:
    services = COMPOSE["services"]
    hub_check = services["hub"]["healthcheck"]["test"]
    assert hub_check[0] == "CMD"
    with ExitStack() as stack:
        stack.enter_context(trial.running(*words_of(services["hub"])))
        trial.healthy(hub_check[1:])
        kept = keys_of_last_time(trial)
        done(trial, "password")
        password = (trial.folder / "password" / "postgres").read_bytes()
        done(trial, "password")
        assert (trial.folder / "password" / "postgres").read_bytes() == password
        done(trial, "setup")
        assert {path: path.read_bytes() for path in kept} == kept
        stack.enter_context(database_of(trial))
        assert "is at schema" in done(trial, "schema")
        for role in ROLES:
            container = trial.of(services[role])
            stack.enter_context(container.running(*words_of(services[role])))
            container.healthy(json.loads(last("HEALTHCHECK").partition("CMD ")[2]))
        api = trial.of(services["api"])
        checked = api.run("tracker", "check")
        assert checked.returncode == 0, checked.stdout
        follow_the_readme(trial)
        for port in ("8080", "8081", "8082"):
            with urllib.request.urlopen(trial.here(f"http://127.0.0.1:{port}/metrics")) as page:
                assert b"tracker_build_info" in page.read()


def keys_of_last_time(trial: Container) -> dict[Path, bytes]:
    """Two of the three keys, as if it had been up before."""
    (trial.folder / "data" / "keys").mkdir()
    kept = {trial.folder / "data" / "keys" / f"{name}.jwks.json": name for name in ("signing", "encryption")}
    for path, name in kept.items():
        path.touch(mode=0o600)
        path.write_text(make_jwks(name))
    return {path: path.read_bytes() for path in kept}


def follow_the_readme(trial: Container) -> None:
    """Run the block that tracks a consent, with each container's commands run here."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (DOCKER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    script = re.sub(r"docker compose -f docker/compose.yaml exec (-T )?\w+ ", "", blocks[-1])
    assert "docker" not in script
    timeline = shlex.split(script.splitlines()[-1])
    done = trial.run("bash", "-euc", script)
    assert done.returncode == 0, done.stdout + done.stderr
    deadline = time.monotonic() + 20
    while "Authorized" not in (done := trial.run(*timeline)).stdout:
        assert time.monotonic() < deadline, done.stdout + done.stderr
        time.sleep(0.1)
