# SPDX-License-Identifier: GPL-2.0-only
"""Debian's arm64 packages, by an apt state of our own.

The machine gets no foreign architecture, and only Debian's own archive is asked: at
those addresses that the machine itself has it from.
"""

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

from lab import paths
from lab.term import LabError, run_logged

LISTS = (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.list")))
DEB822 = sorted(Path("/etc/apt/sources.list.d").glob("*.sources"))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def native_architecture():
    return subprocess.run(["dpkg", "--print-architecture"], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, check=True).stdout.strip()


def is_debian(uri):
    """Debian's archive, or a mirror of it: its last path component says which."""
    return re.search(r"/debian(-security)?/?$", uri) is not None


def debian_stanza(address, suite, architectures="arm64"):
    return (f"Types: deb\nURIs: {address}\nSuites: {suite}\nComponents: main\n"
            f"Architectures: {architectures}\nSigned-By: {KEYRING}\n")


def debian_stanzas(architectures="arm64"):
    """The machine's own sources, those of Debian only, reduced to main and to arm64."""
    entries = []
    for path in LISTS:
        text = path.read_text() if path.exists() else ""
        for match in re.finditer(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s", text, re.M):
            entries.append((match[1], match[2]))
    for path in DEB822:
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(.*)$", stanza, re.M))
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no":
                for uri in fields.get("URIs", "").split():
                    entries += [(uri, suite) for suite in fields.get("Suites", "").split()]
    return [debian_stanza(uri, suite, architectures)
            for uri, suite in dict.fromkeys(entries) if is_debian(uri)]


def release():
    """(address, suite) of Debian's release, by the machine's own sources."""
    for entry in debian_stanzas():
        fields = dict(re.findall(r"^(\S+): (.*)$", entry, re.M))
        if re.fullmatch(r"[a-z]+", fields["Suites"]):
            return fields["URIs"], fields["Suites"]
    raise LabError("no release of Debian in /etc/apt")


class State:
    """No package is installed here: what apt fetches is all that is needed.

    native: also knows packages for this machine, as NAME:ARCHITECTURE.
    suite: of this release of Debian, not of the machine's.
    """

    def __init__(self, folder, native=False, suite=None):
        self.folder = folder
        self.suite = suite
        self.architectures = ["arm64", *([native_architecture()] if native else [])]
        self.archives = folder / "cache/archives"

    def make(self):
        if not shutil.which("apt-get"):
            raise LabError("this machine has no apt-get")
        if self.suite:
            stanzas = [debian_stanza(release()[0], self.suite)]
        else:
            stanzas = debian_stanzas(" ".join(dict.fromkeys(self.architectures)))
        if not stanzas:
            raise LabError("no Debian archive in /etc/apt")
        for name in ("state/lists/partial", "cache/archives/partial", "sources"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources/debian.sources").write_text("\n".join(stanzas))

    def command(self, *args, program="apt-get"):
        options = {
            "APT::Architecture": "arm64",
            "APT::Architectures": ",".join(self.architectures),
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Dir::State": self.folder / "state",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.folder / "sources",
        }
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return [program, "-q", *settings, *args]

    def update(self, log):
        run_logged(self.command("update"), log)

    def packages(self):
        return sorted(self.archives.glob("*.deb"))


@contextlib.contextmanager
def state(name, native=False, suite=None):
    """An empty one, and gone in the end."""
    folder = paths.CACHE / "apt" / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        found = State(folder, native, suite)
        found.make()
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
