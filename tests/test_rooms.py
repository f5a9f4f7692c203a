"""The plan of the house: what each room may import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mixtura
from mixtura.covariance import CELEUX_GOVAERT

PACKAGE = Path(mixtura.__file__).parent
GROUND = {
    "algebra", "cached", "exceptions", "files", "limits", "parameters", "shapes", "statistics",
    "text", "trees", "wire",
}  # fmt: skip
EDGES = {"sklearn", "plot", "cli", "datasets"}
# A room may import rooms of the floors below its own, and of its own floor only itself. Ground
# modules may import each other, without a circle.
FLOORS: list[set[str]] = [
    GROUND,
    {"data"},
    {"kernels", "reference", "covariance", "conjugate"},
    {"passes"},
    {"updates", "mixture"},
    {"posterior"},
    {"schedules"},
    {"starts"},
    {"search"},
    {"fitting"},
    EDGES,
]
FLOOR_OF = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
BUILT = {"_build_config"}  # facts of the build, which anybody may read
MODULES = sorted(
    path.relative_to(PACKAGE)
    for path in PACKAGE.rglob("*.py")
    if path.stem not in {"_build_config", "__main__"} and len(path.relative_to(PACKAGE).parts) > 0
)


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it but for type checkers."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("mixtura")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mixtura"):
            assert node.module is not None
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    """The room of a module: the first name after the package's."""
    return [*module.split("."), ""][1]


def test_rooms_of_the_package_are_those_of_the_plan() -> None:
    found = {path.parts[0].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert found == set(FLOOR_OF)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_of_a_module_point_down(path: Path) -> None:
    own = path.parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for module in imported(PACKAGE / path):
        other = room(module)
        if other == own or other in BUILT:
            continue
        if own in EDGES and other not in FLOOR_OF:
            continue  # an edge may use what the package exports
        assert other in FLOOR_OF, f"{path} imports {module}"
        lower = FLOOR_OF[other] < FLOOR_OF[own]
        assert lower or {own, other} <= GROUND or {own, other} <= EDGES, f"{path} imports {module}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {".".join(("mixtura", *path.with_suffix("").parts)): path for path in MODULES}
    arrows: dict[str, set[str]] = {}
    for name, path in names.items():
        targets = set()
        for module in imported(PACKAGE / path):
            while module not in names and f"{module}.__init__" not in names and "." in module:
                module = module.rpartition(".")[0]
            if module in names:
                targets.add(module)
        arrows[name] = targets - {name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(arrows[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(arrows):
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_but_the_command_line_changes_warning_filters(path: Path) -> None:
    """They belong to the whole process: two fits in two threads would restore each other's."""
    if path.parts[0] == "cli":
        return
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        name = getattr(node, "attr", getattr(node, "name", ""))
        assert name not in {"catch_warnings", "simplefilter", "filterwarnings", "resetwarnings"}


# Names of shapes and of families, which only their own rooms may branch on.
SHAPE_NAMES = {"full", "tied", "diag", "spherical"}
FAMILY_NAMES = set(CELEUX_GOVAERT)
TREE_MODELS = {"kernels", "reference", "starts"}  # models of trees share four names with families


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_shapes_and_covariance_compare_names_of_shapes_and_families(path: Path) -> None:
    own = path.parts[0].removesuffix(".py")
    if own == "shapes":
        return
    forbidden = set(SHAPE_NAMES)
    if own not in {"covariance", *TREE_MODELS}:
        forbidden |= FAMILY_NAMES
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            words = {
                inner.value
                for inner in ast.walk(node)
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
            }
            assert not words & forbidden, f"{path}:{node.lineno}: {ast.unparse(node)}"
