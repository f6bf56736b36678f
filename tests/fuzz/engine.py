"""One target under Atheris, in a process of its own: the engine ends the process when it ends.

`python -m tests.fuzz.engine TARGET CORPUS ARTIFACTS SECONDS`; exit code 0 when nothing was found.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # in the environment of `make fuzz` alone


def main(name: str, corpus: Path, found: Path, seconds: int) -> None:
    """Fuzz until time is up or a promise is broken; the input that broke it is left in `found`."""
    # Instrumented are modules as they are imported, so that ours are imported here and not above.
    with atheris.instrument_imports(include=["leadbus.contracts", "normalizer", "adf_mailer.domain"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    _put_seeds(corpus, target.seeds)
    dictionary = corpus.with_suffix(".dict")
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-artifact_prefix={found}/{name}-",
            f"-dict={dictionary}",
            "-max_len=8192",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            str(corpus),
        ],
        target.read,
    )
    atheris.Fuzz()


def _put_seeds(corpus: Path, seeds: Sequence[bytes]) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)


def _escaped(word: str) -> str:
    """As libFuzzer reads its dictionaries: every byte but plain letters and digits in hexadecimal."""
    return "".join(chr(byte) if chr(byte).isalnum() else f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
