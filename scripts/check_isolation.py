"""Imports every module of each service in an environment that holds only what the service declares.

The shared environment hides undeclared dependencies; this one does not. Packages are installed, not linked,
so a file that the build leaves out is missed here as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".tools" / "uv" / "bin" / "uv"
SERVICES = {"ingest": "ingest", "normalizer": "normalizer", "adf-mailer": "adf_mailer"}

IMPORT_ALL = """
import importlib, pkgutil, sys
count = 0
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    # Migrations are scripts that alembic loads within its own context.
    found = [module.name for module in pkgutil.walk_packages(package.__path__, name + ".")]
    modules = [module for module in found if ".migrations." not in module]
    for module in modules:
        importlib.import_module(module)
    count += 1 + len(modules)
print(count, "modules")
"""


def check(distribution: str, package: str, folder: Path) -> bool:
    environment = dict(os.environ) | {"UV_PROJECT_ENVIRONMENT": str(folder / distribution)}
    environment.pop("VIRTUAL_ENV", None)
    built = subprocess.run(
        [
            *(UV, "sync", "--locked", "--quiet", "--no-dev", "--no-editable", "--package", distribution),
            *("--python", sys.executable, "--no-python-downloads", "--reinstall-package", distribution),
            *("--reinstall-package", "leadbus-common"),
        ],
        cwd=ROOT,
        env=environment,
        check=False,
    )
    if built.returncode != 0:
        return False
    python = folder / distribution / "bin" / "python"
    imported = subprocess.run(
        [python, "-I", "-c", IMPORT_ALL, package, "leadbus"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"{distribution}: {imported.stdout.strip() or imported.stderr.strip()}")
    return imported.returncode == 0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="leadbus-isolation-") as folder:
        failed = [name for name, package in SERVICES.items() if not check(name, package, Path(folder))]
    if failed:
        sys.exit(f"not importable with their own dependencies alone: {', '.join(failed)}")


if __name__ == "__main__":
    main()
