"""What .ci/system.sh does on machines that lack something, told by stand-ins for the system's commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")


class Machine:
    """A folder of stand-in commands that is the whole PATH."""

    def __init__(self, folder: Path, script: Path) -> None:
        self.folder, self.script = folder, script
        for tool in ("bash", "grep", "sed"):
            (folder / tool).symlink_to(str(shutil.which(tool)))
        self.command("uname", "echo Linux")
        self.command("ldconfig", "")
        self.command("id", "echo 1000")

    def command(self, name: str, body: str) -> None:
        """Put a command on the machine."""
        file = self.folder / name
        file.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        file.chmod(0o755)

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script there."""
        return subprocess.run(
            [self.folder / "bash", self.script, *words],
            env={"PATH": str(self.folder), **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path, repository: Path) -> Machine:
    return Machine(tmp_path, repository / ".ci" / "system.sh")


def libraries(repository: Path) -> list[str]:
    text = (repository / ".ci" / "system.sh").read_text().split('LIBRARIES="')[1].split('"')[0]
    return [line.split("=")[0] for line in text.split()]


def test_root_on_debian_gets_what_is_missing(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "apt.log"
    machine.command("id", "echo 0")
    machine.command("apt-get", f'echo "$@" >> {log}')
    done = machine.run("window")
    assert done.returncode == 0, done.stderr
    update, install = log.read_text().splitlines()
    assert update.startswith("update")
    for package in ("xvfb", "libgl1", "libegl1", "libxkbcommon-x11-0", "libdbus-1-3", "libxcb-icccm4",
                    "libxcb-keysyms1", "libxcb-cursor0"):  # fmt: skip
        assert package in install.split()


def test_others_on_debian_are_told_the_command(machine: Machine) -> None:
    machine.command("apt-get", "exit 99")
    done = machine.run("window")
    assert done.returncode == 1
    assert "sudo apt-get install libgl1 " in done.stderr
    assert "xvfb" in done.stderr


def test_other_linuxes_are_told_the_libraries(machine: Machine) -> None:
    done = machine.run("window", DISPLAY=":0")
    assert done.returncode == 1
    assert "libxcb-cursor.so.0" in done.stderr
    assert "Xvfb" not in done.stderr, "there is a screen"


def test_only_what_is_missing_is_asked_for(machine: Machine, repository: Path) -> None:
    present = [name for name in libraries(repository) if name != "libxcb-cursor.so.0"]
    machine.command("ldconfig", "\n".join(f"echo '{name} (libc6) => /usr/lib/{name}'" for name in present))
    machine.command("Xvfb", "")
    done = machine.run("window")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("what provides: libxcb-cursor.so.0")
    machine.command("ldconfig", "\n".join(f"echo '{name}'" for name in libraries(repository)))
    assert machine.run("window").returncode == 0


def test_a_mac_needs_nothing(machine: Machine) -> None:
    machine.command("uname", "echo Darwin")
    assert machine.run("window").returncode == 0
    assert machine.run("has-display").returncode == 0


def test_screens_are_noticed(machine: Machine) -> None:
    assert machine.run("has-display").returncode == 1
    assert machine.run("has-display", DISPLAY=":0").returncode == 0
    assert machine.run("has-display", WAYLAND_DISPLAY="wayland-0").returncode == 0


def test_old_or_missing_python_is_named(machine: Machine) -> None:
    machine.command("old-python", 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    done = machine.run("python", "old-python")
    assert done.returncode == 1
    assert "Python 3.9.2" in done.stderr
    assert "3.11" in done.stderr
    done = machine.run("python", "no-python")
    assert done.returncode == 1
    assert "no-python is missing" in done.stderr
    assert machine.run("python", sys.executable).returncode == 0


def test_unknown_word_shows_the_usage(machine: Machine) -> None:
    done = machine.run("nonsense")
    assert done.returncode == 2
    assert "system.sh window" in done.stderr
