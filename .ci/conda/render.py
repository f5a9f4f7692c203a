"""Render the recipe as conda-forge would for each platform; nothing is solved or downloaded."""

from pathlib import Path

from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, VariantConfig

# What conda-forge's own file of versions would give, as far as the recipe asks for it.
PYTHONS = ["3.11.* *_cpython", "3.14.* *_cp314"]
COMPILERS = {"linux": ("gcc", "sysroot"), "osx": ("clang", "macosx_deployment_target")}

recipe = Stage0Recipe.from_file(Path(__file__).parent / "recipe.yaml")
for target, build in [
    ("linux-64", "linux-64"),
    ("linux-aarch64", "linux-64"),  # cross-compiled
    ("osx-64", "osx-64"),
    ("osx-arm64", "osx-64"),
]:
    compiler, library = COMPILERS[target.partition("-")[0]]
    variants = VariantConfig({"python": PYTHONS, "c_compiler": [compiler], "c_stdlib": [library]})
    platform = PlatformConfig(target_platform=target, build_platform=build)
    rendered = recipe.render(variants, RenderConfig(platform=platform))
    assert len(rendered) == len(PYTHONS), f"{target}: expected {PYTHONS}, got {rendered}"
    needs = rendered[0].recipe.to_dict()["requirements"]
    print(target, *needs["build"], "|", *needs["host"], "|", *needs["run"])
