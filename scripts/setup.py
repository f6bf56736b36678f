"""Prepares this checkout: uv in .tools/uv, the locked environment in .venv; with --fastest in .venv-bench.

Runs on any Python from 3.8 with nothing installed (`make setup` calls it), so it uses the standard library
alone and old syntax. uv comes from PyPI through pip, which honours the machine's mirrors and certificates.
"""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

UV_VERSION = "0.13.9"
SUPPORTED = ((3, 11), (3, 14))  # from, below: as requires-python in pyproject.toml says

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools" / "uv"
# How an interpreter was built makes a fifth of its speed. It cannot be asked: Debian's does not tell of the
# optimisation by profile that it has, and pyenv's has none unless that was asked for.
PROBE = """
import json, time
def work():
    seen, total = {}, 0
    for number in range(40000):
        name = str(number % 97)
        seen[name] = seen.get(name, 0) + number
    for _ in range(20):
        total += len(json.loads(json.dumps(seen)))
    return total
def seconds():
    began = time.process_time()
    work()
    return time.process_time() - began
print(min(seconds() for _ in range(9)))
"""
PROBES = 5


def fail(message):
    sys.exit("setup: " + message)


def version_of(python):
    """(major, minor) of an interpreter, or None when it does not run (a shim without a version behind it)."""
    asked = subprocess.run(
        [python, "-c", "import sys; print(*sys.version_info[:2])"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return tuple(int(word) for word in asked.stdout.split()) if asked.returncode == 0 else None


def interpreters():
    """Candidates, the one that runs this script first."""
    yield sys.executable
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        found = shutil.which(name)
        if found:
            yield found
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for pattern in (
        pyenv + "/versions/3.1[1-3].*/bin/python3",
        os.path.expanduser("~/.local/share/uv/python/cpython-3.1[1-3]*/bin/python3"),
        "/usr/bin/python3.1[1-3]",
        "/usr/local/bin/python3.1[1-3]",
        "/opt/*/bin/python3.1[1-3]",
    ):
        for found in sorted(glob.glob(pattern), reverse=True):
            yield found


def seconds_of_work(python):
    """What the same piece of work costs on an interpreter, in seconds of CPU."""
    asked = subprocess.run([python, "-I", "-c", PROBE], stdout=subprocess.PIPE, text=True, check=True)
    return float(asked.stdout)


def fastest_of(pythons):
    """They are asked in turns, so that a busy moment of the machine is not one of them's alone."""
    told = {python: [] for python in pythons}
    for _ in range(PROBES):
        for python in told:
            told[python].append(seconds_of_work(python))
    return min(told, key=lambda python: min(told[python]))


def find_python(fastest=False):
    """LEADBUS_PYTHON when set, else the first interpreter of a supported version, or the fastest of them."""
    forced = os.environ.get("LEADBUS_PYTHON")
    seen, supported = [], []
    for candidate in [forced] if forced else interpreters():
        version = version_of(candidate)
        if not (version and SUPPORTED[0] <= version < SUPPORTED[1]):
            seen.append("{} ({})".format(candidate, ".".join(map(str, version or ("does not run",)))))
        elif not fastest:
            return candidate
        else:
            supported.append(os.path.realpath(candidate))
    if supported:
        return fastest_of(supported)
    return fail(
        "Python 3.11, 3.12 or 3.13 is needed. Looked at: {}.\n"
        "Install one (Debian: apt-get install python3) or name it: LEADBUS_PYTHON=/path/to/python3.12".format(
            ", ".join(dict.fromkeys(seen))
        )
    )


def make_venv(python, folder):
    """True when `python -m venv` works; Debian puts half of it into a package of its own."""
    done = subprocess.run(
        [python, "-m", "venv", "--clear", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode == 0


def install_venv_module(python):
    """Debian's missing half, when this user may install it."""
    if os.environ.get("LEADBUS_NO_INSTALL", "0") not in ("", "0"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    package = "python{}.{}-venv".format(*version_of(python))
    print(f"setup: installing {package} with apt", flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["update", "-q"], ["install", "-q", "--yes", "--no-install-recommends", package]):
        subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False)


def get_uv(python):
    """The pinned uv in .tools/uv; its path."""
    uv = TOOLS / "bin" / "uv"
    stamp = TOOLS / "version"
    if uv.exists() and stamp.exists() and stamp.read_text() == UV_VERSION:
        return str(uv)
    print(f"setup: getting uv {UV_VERSION} from PyPI into {TOOLS.relative_to(ROOT)}", flush=True)
    if not make_venv(python, TOOLS):
        install_venv_module(python)
        if not make_venv(python, TOOLS):
            shutil.rmtree(str(TOOLS), ignore_errors=True)
            fail(
                f"`{python} -m venv` does not work here. Debian and Ubuntu keep half of it in a package:\n"
                "  apt-get install python3-venv"
            )
    pip = [str(TOOLS / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    if subprocess.call([*pip, "install", "--quiet", f"uv=={UV_VERSION}"]) != 0:
        fail(f"pip could not get uv {UV_VERSION}: is the package index reachable? (its words are above)")
    stamp.write_text(UV_VERSION)
    return str(uv)


def make_environment(uv, folder, python):
    """The locked environment in `folder`, anew if it was made for another place."""
    ready = folder / ".ready"  # names the place that it was made for; make looks at its age
    if ready.exists() and ready.read_text().strip() != str(ROOT):
        shutil.rmtree(str(folder))
    print(f"setup: environment in {folder.relative_to(ROOT)} with {python}", flush=True)
    command = [uv, "sync", "--locked", "--quiet", "--compile-bytecode", "--python", python]
    # An environment of somebody else's is none of ours.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment["UV_PROJECT_ENVIRONMENT"] = str(folder)
    if subprocess.call([*command, "--no-python-downloads"], cwd=str(ROOT), env=environment) != 0:
        fail("uv could not build the environment (its words are above)")
    ready.write_text(str(ROOT))


def main():
    python = find_python()
    uv = get_uv(python)
    if sys.argv[1:] == ["--fastest"]:
        make_environment(uv, ROOT / ".venv-bench", find_python(fastest=True))
    else:
        make_environment(uv, ROOT / ".venv", python)


if __name__ == "__main__":
    main()
