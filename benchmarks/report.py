"""What reports of benchmarks share: lines, figures, and the machine that they were taken on."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mixtura
from benchmarks.page import sentence

PACKAGES = {"NumPy": "numpy", "SciPy": "scipy", "scikit-learn": "scikit-learn"}


def write(line: str = "") -> None:
    """Print at once: the next line takes a while."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def machine_facts() -> dict[str, Any]:
    """Tell what figures are taken on, and with what."""
    config = mixtura.build_config()
    versions = {"mixtura": mixtura.__version__, "Python": platform.python_version()}
    for name, package in PACKAGES.items():
        try:
            versions[name] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "instruction_set": config["instruction_set"],
        "threads": config["n_threads"],
        "compiler": f"{config['compiler']} {config['compiler_version']}",
        "system": platform.system(),
        "versions": versions,
    }


def machine() -> str:
    """Tell the same in a sentence."""
    return sentence(machine_facts())


def cpu_model() -> str:
    """What the CPU calls itself, and its family where the name alone says little."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in told:
        return platform.processor() or platform.machine()
    numbers = [f"{key} {told[key]}" for key in ("cpu family", "model") if key in told]
    return f"{told['model name']} ({', '.join(numbers)})" if numbers else told["model name"]
