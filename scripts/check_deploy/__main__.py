"""`make k8s-check`: Dockerfile, docker-compose.yml and deploy/k8s against the code; nothing is contacted.

Without kubectl (its built-in kustomize) no overlay can be built: said, and each file is validated by itself.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from scripts.check_deploy import compose, dockerfile, manifests
from scripts.check_deploy.code import CLI, ROOT, members, service_folders


def _image_complaints(image: dockerfile.Dockerfile) -> Iterator[str]:
    yield from dockerfile.complaints(image, service_folders() | {CLI}, members())


def _compose_complaints() -> Iterator[str]:
    file = ROOT / "docker-compose.yml"
    yield from compose.all_complaints(compose.read(file))
    yield from compose.missing_names(file, ROOT / ".env.example")


def _cluster_complaints(user: str) -> Iterator[str]:
    for overlay in sorted((ROOT / "deploy" / "k8s" / "overlays").iterdir()):
        where = overlay.relative_to(ROOT).as_posix()
        try:
            objects = manifests.built(overlay)
        except RuntimeError as error:
            yield f"{where}: {error}"
            continue
        found = [*manifests.schema_complaints(objects), *manifests.installation_complaints(objects, user)]
        yield from (f"{where}: {complaint}" for complaint in dict.fromkeys(found))


def main() -> None:
    image = dockerfile.read(ROOT / "Dockerfile")
    found = [*_image_complaints(image), *_compose_complaints()]
    if shutil.which("kubectl"):
        user = image.stages[-1].last("USER")
        found += _cluster_complaints(user.text if user else "0")
    else:
        print("kubectl is not there: overlays not built, the files of deploy/k8s validated one by one")
        found += manifests.schema_complaints(manifests.written(ROOT / "deploy" / "k8s"))
    for complaint in found:
        print(complaint, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
