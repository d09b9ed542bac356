"""The Dockerfile's steps on a root of their own, which is thrown away: no Docker is needed.

The root is this machine's with a layer in memory over it (overlayfs), in a namespace of its own. In
place of the dependencies, which tests/test_container.py tries, it has those of this environment.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_container import instructions
from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[1]
NOT_HERE = 75
LAYER = """
mount -t tmpfs tmpfs /mnt || exit 75
mkdir /mnt/new /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/new,workdir=/mnt/work /mnt/root || exit 75
mount --bind /dev /mnt/root/dev
mount -t proc proc /mnt/root/proc
exec chroot /mnt/root bash "$1"
"""

pytestmark = pytest.mark.slow


def steps() -> str:
    """The image for the CPU as a script: what its instructions do, and its command at the end."""
    (packages,) = instructions("RUN", "program")
    (_, home) = instructions("WORKDIR", "program")
    (user,) = instructions("USER", "program")
    (entrypoint,) = instructions("ENTRYPOINT", "program")
    lines = ["apt-get update -qq || exit 75", "set -e", packages, "mkdir /app"]
    for copied in instructions("COPY", "program"):
        source, target = copied.split()
        lines.append(f"cp --recursive {ROOT / source} /app/{target}")
    lines.append(f"ln -s {sys.prefix} /opt/venv")
    for folder in (ROOT, sys.prefix, sys.base_prefix):  # of root's home, in the layer only
        lines += [f"chmod a+rx {shlex.quote(str(p))}" for p in (folder, *Path(folder).parents)]
    command = shlex.join([*json.loads(entrypoint), "check"])
    variables = " ".join(instructions("ENV", "program"))
    lines += [f"cd {home}", f"export {variables}"]
    lines.append(f"setpriv --reuid={user} --regid={user} --clear-groups env HOME={home} {command}")
    return "\n".join(lines)


def test_the_steps_make_a_root_where_the_program_runs_without_rights(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    if os.geteuid() or not all(map(shutil.which, ("unshare", "chroot", "setpriv", "apt-get"))):
        pytest.skip("it takes root and a Debian or Ubuntu")
    script = tmp_path / "steps.sh"
    script.write_text(steps(), encoding="utf-8")
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", LAYER, "layer", script],
        env={"PATH": os.environ["PATH"], "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    if done.returncode == NOT_HERE:
        pytest.skip("no overlayfs, or no archive of packages")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok   storage: sqlite+aiosqlite:////data/bot.db can be written" in done.stdout
    assert "free in /data/cache/gptoss-bot/models" in done.stdout
    assert not Path("/app/bot").exists()
