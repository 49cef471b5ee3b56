# SPDX-License-Identifier: GPL-2.0-only
"""A root of its own for packages to be installed in: the machine's files, with an overlay over
them in memory that nobody else sees, and that is gone in the end.

It has no kernel, and no hook of the machine's for one. uname names the arm64 kernel that a case
wants, and modprobe only writes down how it was called. It is a chroot and is seen to be one;
where a case wants it to be a machine or a container, ischroot and readlink say so.
"""

import dataclasses
import os
import shlex
import shutil
import subprocess

from lab.harness import Skip

SECONDS = 600
TRY = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
"""
ENTER = """
set -e
cd "$1"
mount -t tmpfs -o size=2G tmpfs mem
mkdir mem/root
for part in "" /usr /etc /var; do
	[ -z "$part" ] || mountpoint -q "$part" || continue
	mkdir -p "mem/upper$part.d" "mem/work$part.d"
	mount -t overlay -o "lowerdir=${part:-/},upperdir=mem/upper$part.d,workdir=mem/work$part.d" \\
		overlay "mem/root$part"
done
cd mem/root
mkdir -p usr/lib/modules etc/kernel var/lib/dkms
for folder in boot etc/kernel etc/dkms run sys tmp usr/lib/modules usr/src var/lib/dkms; do
	mkdir -p $folder
	mount -t tmpfs tmpfs $folder
done
mount --rbind /proc proc
mount --rbind /dev dev
mount --bind ../.. mnt
cp mnt/bin/* usr/local/bin
rm -f sbin/modprobe usr/sbin/modprobe
exec chroot . /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \\
	LC_ALL=C DEBIAN_FRONTEND=noninteractive sh /mnt/steps
"""
PROGRAMS = {
    "uname": """#!/bin/sh
case $1 in
-m) echo aarch64 ;;
-r) cat /mnt/kernel ;;
*) exec /usr/bin/uname "$@" ;;
esac
""",
    "modprobe": """#!/bin/sh
echo "$*" >>/mnt/modprobe
""",
    "ischroot": """#!/bin/sh
[ "$(cat /mnt/place)" != chroot ] || exec /usr/bin/ischroot "$@"
exit 1
""",
    # The machine's PID namespace, or another.
    "readlink": """#!/bin/sh
case "$(cat /mnt/place) $*" in
"machine /proc/self/ns/pid") echo "pid:[4026531836]" ;;
"container /proc/self/ns/pid") echo "pid:[4026532999]" ;;
*) exec /usr/bin/readlink "$@" ;;
esac
""",
    "listed": """#!/bin/sh
find /boot /etc /lib/modules/ /usr/share/kvm* /usr/src /usr/lib/udev /usr/lib/modprobe.d \\
	/var/lib/dkms -path /etc/dkms -prune -o -print 2>/dev/null | sort
""",
}


@dataclasses.dataclass
class Step:
    """What came of a command. files: all that a package may leave behind, after it."""

    status: int
    said: str
    warned: str
    files: list


def become_root():
    """What goes before a command, so that it may mount and chroot."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"], check=False,
                                                   stdin=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL).returncode:
        return ["sudo", "-n"]
    raise Skip("needs root, or sudo that asks for no password")


def command():
    """Of a mount namespace with an overlay. In some containers root may have none."""
    found = [*become_root(), "unshare", "--mount", "--propagation", "private"]
    done = subprocess.run([*found, "sh", "-ec", TRY], check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Skip(f"root cannot mount an overlay over / here: {done.stdout.strip()}")
    return found


def write(folder, steps, kernel, place):
    (folder / "bin").mkdir()
    for name, text in PROGRAMS.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    for name in ("mem", "out"):
        (folder / name).mkdir()
    (folder / "kernel").write_text(f"{kernel}\n")
    (folder / "place").write_text(f"{place}\n")
    (folder / "steps").write_text("cd /mnt/out\n" + "".join(
        f"sh -c {shlex.quote(line)} >{number}.said 2>{number}.warned\n"
        f"echo $? >{number}.status\nlisted >{number}.files\n"
        for number, line in enumerate(steps.values())))


def run(folder, steps, kernel, place="chroot"):
    """Each step is a name and a command, which finds the folder's files in /mnt.

    kernel: which is running. place: or machine, or container; a step may write another to
    /mnt/place or /mnt/kernel. Returns name -> Step, and how modprobe was called.
    """
    write(folder, steps, kernel, place)
    done = subprocess.run([*command(), "sh", "-c", ENTER, "root", folder], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, timeout=SECONDS)
    assert not done.returncode, f"status {done.returncode}: {done.stdout}"

    def text(number, kind):
        return (folder / "out" / f"{number}.{kind}").read_text(errors="replace")

    found = {name: Step(int(text(number, "status")), text(number, "said"), text(number, "warned"),
                        text(number, "files").splitlines()) for number, name in enumerate(steps)}
    calls = folder / "modprobe"
    return found, calls.read_text().splitlines() if calls.exists() else []
