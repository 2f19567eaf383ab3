"""The import table of docs/ARCHITECTURE.md, held by the code itself."""

import ast
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "exo_auth"
DOCUMENT = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")

GROUND = {"domain_name", "cloud", "errors"}


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table under a heading."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip(" `/") for cell in row] for row in rows[1:]]


def layers(cell: str) -> set[str]:
    named = set(cell.split(", ")) - {"–"}
    return named - {"ground"} | (GROUND if "ground" in named else set())


ALLOWED = {row[0].removesuffix(".py"): layers(row[2]) for row in table("Who may import whom")}
SANDBOX_DOORS = {"sandbox.py", "demo.py"}  # the only files of cli/ that may start the sandbox

HOMES = {  # third-party package -> the layers it is at home in
    "idna": {"domain_name"},
    "msal": {"identity"},
    "msal_extensions": {"identity"},
    "keyring": {"identity"},
    "tenacity": {"exchange"},
    "requests": {"exchange", "identity"},
    "rich": {"render"},
    "yaml": {"run", "render"},
    "filelock": {"run"},
    "platformdirs": {"run"},
    "typer": {"cli"},
    "octodns": {"publish"},
    "cronsim": {"run"},
    "apprise": {"run"},
    "dns": {"sandbox", "lookup"},
    "httpx2": {"lookup"},
    "h2": {"lookup"},
    "publicsuffixlist": {"lookup"},
    "dkim": {"lookup"},
    "cryptography": {"sandbox", "identity", "lookup", "policy_server"},
    "h11": {"policy_server"},
}
BLOCKING = {
    "socket",
    "asyncio",
    "os",
    "subprocess",
    "time",
    "random",
    "secrets",
    "threading",
    "http",
    "urllib.request",
}
PURE = {"records", "facts", "checks", "plan", "render"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> list[str]:
    """Every module a file imports, also inside functions; type-checking blocks count."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            found += [node.module]
            if node.module == "exo_auth":
                found += [f"exo_auth.{alias.name}" for alias in node.names]
    return found


def test_every_layer_stands_in_the_table() -> None:
    assert {layer_of(path) for path in modules()} - GROUND - {"__init__", "__main__"} == ALLOWED.keys() - {
        "ground"
    }


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    packages = {re.split(r"[<>=\[]", one)[0] for one in wanted}
    told = {name for row in table("Dependencies") for name in re.findall(r"[\w.-]+", row[0])}
    assert packages - told == set()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_layer_imports_only_the_layers_below_it(path: Path) -> None:
    layer = layer_of(path)
    if layer in ("__init__", "__main__"):
        return
    allowed = ALLOWED.get(layer, GROUND)
    if layer == "cli" and path.name in SANDBOX_DOORS:
        allowed = allowed | {"sandbox"}
    inner = {name.split(".")[1] for name in imports(path) if name.startswith("exo_auth.")}
    inner.discard("__version__")
    assert inner - allowed - {layer} == set()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_third_party_package_stays_in_its_home(path: Path) -> None:
    layer = layer_of(path)
    strangers = {name.split(".")[0] for name in imports(path)} & HOMES.keys()
    assert {package for package in strangers if layer not in HOMES[package]} == set()


@pytest.mark.parametrize(
    "path", [p for p in modules() if layer_of(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_pure_layer_imports_nothing_that_blocks(path: Path) -> None:
    names = set(imports(path))
    assert (names | {name.split(".")[0] for name in names}) & BLOCKING == set()


def test_the_sandbox_shares_no_wire_code_with_the_client() -> None:
    forbidden = ("exo_auth.exchange", "exo_auth.plan", "exo_auth.run", "exo_auth.identity", "exo_auth.lookup")
    for path in (PACKAGE / "sandbox").rglob("*.py"):
        assert not [name for name in imports(path) if name.startswith(forbidden)], path


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "helpers", "common", "models", "types"}
    assert [p for p in modules() if p.stem in drawers or p.parent.name in drawers] == []
