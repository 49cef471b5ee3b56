# SPDX-License-Identifier: GPL-2.0-only
"""A static arm64 busybox for the host's initramfs.

Debian's package is fetched through an apt state of our own: the machine gets no
foreign architecture, and only Debian's own archive is asked.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import paths
from lab.term import LabError, run_logged, step

STATE = paths.CACHE / "apt"
BINARY = paths.INITRAMFS / "busybox"
PACKAGE = "busybox-static"
SOURCES = (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.list")))
DEB822 = sorted(Path("/etc/apt/sources.list.d").glob("*.sources"))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
HINT = "give BUSYBOX=<static arm64 busybox>"


def is_debian(uri):
    """Debian's archive, or a mirror of it: its last path component says which."""
    return re.search(r"/debian(-security)?/?$", uri) is not None


def debian_stanzas():
    """The machine's own sources, those of Debian only, reduced to main and arm64."""
    entries = []
    for path in SOURCES:
        text = path.read_text() if path.exists() else ""
        for match in re.finditer(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s", text, re.M):
            entries.append((match[1], match[2]))
    for path in DEB822:
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(.*)$", stanza, re.M))
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no":
                for uri in fields.get("URIs", "").split():
                    entries += [(uri, suite) for suite in fields.get("Suites", "").split()]
    return [f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
            f"Architectures: arm64\nSigned-By: {KEYRING}\n"
            for uri, suite in dict.fromkeys(entries) if is_debian(uri)]


def apt_command(*args):
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures::": "arm64",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Dir::State": STATE / "state",
        "Dir::State::status": STATE / "status",
        "Dir::Cache": STATE / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": STATE / "sources",
    }
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["apt-get", "-q", *settings, *args]


def download():
    stanzas = debian_stanzas()
    if not stanzas:
        raise LabError(f"no Debian archive in /etc/apt: {HINT}")
    for folder in ("state/lists/partial", "cache/archives/partial", "sources", "deb"):
        (STATE / folder).mkdir(parents=True, exist_ok=True)
    (STATE / "status").touch()
    (STATE / "sources/debian.sources").write_text("\n".join(stanzas))
    log = paths.LOG / "busybox.log"
    try:
        run_logged(apt_command("update"), log)
        run_logged(apt_command("download", PACKAGE), log, cwd=STATE / "deb")
        package = max((STATE / "deb").glob(f"{PACKAGE}_*.deb"), key=os.path.getmtime)
        run_logged(["dpkg-deb", "-x", package, STATE / "root"], log)
    except LabError as error:
        raise LabError(f"{error}\nbusybox for arm64 could not be fetched: {HINT}") from error
    found = [path for path in (STATE / "root").glob("**/bin/busybox") if path.is_file()]
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found[0], BINARY)
    shutil.rmtree(STATE)


def ensure():
    """Path of the binary."""
    given = os.environ.get("BUSYBOX")
    if given:
        if not Path(given).is_file():
            raise LabError(f"BUSYBOX={given}: no such file")
        return Path(given)
    if not BINARY.exists():
        if not shutil.which("apt-get"):
            raise LabError(f"this machine has no apt-get: {HINT}")
        with step("fetching busybox for arm64"):
            download()
    return BINARY


def applets(binary):
    """Names it answers to: read from the binary, since it does not run here."""
    data = binary.read_bytes()
    match = re.search(rb"\[\x00\[\[\x00(?:[a-z0-9_.+-]+\x00)+", data)
    if not match:
        raise LabError(f"{binary} is not a busybox with the usual applets: {HINT}")
    return [name.decode() for name in match[0].split(b"\0") if name]


def check_static_arm64(binary):
    """An ELF for AArch64 without an interpreter."""
    done = subprocess.run([f"{paths.CROSS_COMPILE}readelf", "-hl", binary], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if "AArch64" not in done.stdout or "INTERP" in done.stdout:
        raise LabError(f"{binary} is not a static arm64 program: {HINT}")
