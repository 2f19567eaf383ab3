"""What the documents show is what happens."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import typer
from terminal import as_cron, in_process

from exo_auth.cli.app import build
from exo_auth.errors import ExoAuthError
from exo_auth.plan.outcome import EXIT_PRIORITY
from exo_auth.render.explain_text import EXIT_CODES
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def normal(text: str) -> str:
    """Take out what differs from run to run: times, digests, names of runs, ports, and the width of columns."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\dZ", "<time>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "<time>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-[0-9a-f]{4}", "<run>", text)
    text = re.sub(r"digest [0-9a-f]{16}", "digest <digest>", text)
    text = re.sub(r"`[0-9a-f]{64}`", "`<digest>`", text)
    text = re.sub(r"run \S+Z-[0-9a-f]{4}", "run <run>", text)
    text = re.sub(r"exo-auth-probe-[0-9a-f]{12}", "exo-auth-probe-<random>", text)
    return re.sub(r" {2,}", "  ", text).strip()


def sessions(text: str) -> Iterator[list[tuple[str, str]]]:
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        steps = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        yield [(step.partition("\n")[0], step.partition("\n")[2]) for step in steps]


def test_the_sessions_of_the_readme_happen_as_shown(tmp_path: Path) -> None:
    found = list(sessions((ROOT / "README.md").read_text(encoding="utf-8")))
    assert found
    for session in found:
        with Sandbox(SandboxOptions.named("demo")) as box:
            environment = {
                **box.description.environment,
                "EXO_AUTH_STATE_DIR": str(tmp_path),
                "HOME": str(tmp_path),
            }
            for command, shown in session:
                program, *arguments = shlex.split(command)
                assert program == "exo-auth"
                done = as_cron(*arguments, environment=environment)
                assert normal(done.out) == normal(shown), command


SESSIONS = re.split(
    r"^(?=## )", (ROOT / "docs" / "SESSIONS.md").read_text(encoding="utf-8"), flags=re.MULTILINE
)


@pytest.mark.parametrize("section", SESSIONS[1:], ids=lambda text: text.partition("\n")[0].strip("# "))
def test_the_sessions_happen_as_shown(tmp_path: Path, section: str) -> None:
    scenario = re.search(r"--scenario (\w+)", section)
    options = SandboxOptions.named(scenario[1] if scenario else "demo")
    with Sandbox(replace(options, publishes=True)) as box:
        environment = {
            **box.description.environment,
            "EXO_AUTH_STATE_DIR": str(tmp_path),
            "HOME": str(tmp_path),
        }
        for command, shown in chain(*sessions(section)):
            program, *arguments = shlex.split(command)
            if program == "export":
                name, _, value = arguments[0].partition("=")
                environment[name] = value
                continue
            done = in_process(*arguments, environment=environment)
            assert normal(done.out) == normal(shown), command


def test_the_examples_of_the_api_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/API.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    with Sandbox(SandboxOptions.named("demo")) as box:
        host, port = box.description.nameserver.split(":")
        for block in blocks:
            code = block.replace("contoso.com", "fresh.example").replace("fabrikam.com", "new.example")
            code = code.replace('("9.9.9.9", 53)', f'("{host}", {port})')
            code = code.replace(
                'check_domain("fresh.example")',
                f'check_domain("fresh.example", resolver=exo_auth.api.StubResolver((("{host}", {port}),)))',
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), code
            assert done.stdout


def commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    def walk(command: object, path: str) -> Iterator[tuple[str, typer.core.TyperCommand]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path, command  # type: ignore[misc]
        else:
            for name, child in inner.items():
                yield from walk(child, f"{path} {name}".strip())

    tree = build()
    tree.load_all()
    yield from walk(tree, "")


COMMANDS = dict(commands())


def shown_commands(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
        yield from _each(re.findall(r"^(?:\$ )?(exo-auth .*)$", block, re.MULTILINE))
    yield from _each(re.findall(r"`(exo-auth [^`\n]*)`", text))


def _each(lines: list[str]) -> Iterator[str]:
    """A line, and behind two dashes the command that it runs in its turn."""
    for line in lines:
        own, _, other = line.partition(" -- ")
        yield own
        if other:
            yield f"exo-auth {other}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documents_exists_with_its_options(path: Path) -> None:
    for line in shown_commands(path):
        words = [word for word in shlex.split(line.split("#")[0])[1:] if word != "…"]
        known = _known(words)
        assert known is not None, line
        options = {option for parameter in COMMANDS[known].params for option in parameter.opts}
        used = {word.split("=")[0] for word in words if word.startswith("-")}
        assert used <= options | {"--help"}, line


def _known(words: list[str]) -> str | None:
    plain = [word for word in words if not word.startswith("-")]
    for length in (3, 2, 1):
        name = " ".join(plain[:length])
        if name in COMMANDS:
            return name
        if length < 3 and any(command.startswith(f"{name} ") for command in COMMANDS):
            return next(command for command in COMMANDS if command.startswith(f"{name} "))
    return None


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_is_one(name: str) -> None:
    text = COMMANDS[name].help or ""
    found = re.search(r"Example:\s+(?:[A-Z_]+=\S+ )?exo-auth (.*)", text)
    assert found, name
    words = [word for word in shlex.split(found[1].split(" > ")[0]) if not word.startswith("-")]
    assert " ".join(words).startswith(name), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_the_table_of_exit_codes_is_the_programs() -> None:
    text = (ROOT / "docs" / "EXIT_CODES.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \|$", text.replace("`", ""), re.MULTILINE)
    told = {code: (meaning, todo.lower().rstrip(".")) for code, (meaning, todo) in EXIT_CODES.items()}
    assert {int(code): (meaning, todo.lower()) for code, meaning, todo in rows} == told
    assert ", ".join(map(str, EXIT_PRIORITY)) in text.replace("\n", " ")


def families(root: type[ExoAuthError]) -> Iterator[type[ExoAuthError]]:
    yield root
    for child in root.__subclasses__():
        yield from families(child)


def test_every_error_ends_with_a_documented_code() -> None:
    assert {family.exit_code for family in families(ExoAuthError)} <= set(EXIT_CODES)


def test_every_file_the_contributors_read_first_is_there() -> None:
    text = (ROOT / "docs" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    order = text[text.index("Read in this order") : text.index("Every other file")]
    for name in re.findall(r"`([\w/]+\.?\w*)`", order):
        assert (ROOT / name).exists() or (ROOT / "exo_auth" / name).exists(), name
    told = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for name in re.findall(r"^\| \d+ \| `([\w/.]+)`", told, re.MULTILINE):
        assert (ROOT / "exo_auth" / name).exists(), name
