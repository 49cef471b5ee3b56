# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own selftests for arm64, from the lab's kernel source.

They are built in a copy of what they need of it: some write beside their sources. A program
that does not build is left out, and named in LOG; which ones the suite wants is its own matter.
"""

import os
import shutil
import subprocess

from lab import kernel, paths
from lab.term import LabError, Meter

FOLDER = paths.CACHE / "selftests"
TREE = FOLDER / "tree"
BUILD = FOLDER / "build"
LOG = paths.LOG / "selftests.log"
TARGETS = (
    "acct", "arm64", "breakpoints", "cachestat", "capabilities", "cgroup", "clone3", "core", "exec",
    "fchmodat2", "filelock", "filesystems", "filesystems/binderfs", "filesystems/epoll",
    "filesystems/eventfd", "filesystems/statmount", "futex", "ipc", "kcmp", "membarrier", "memfd",
    "mincore", "mm", "mount_setattr", "move_mount_set_group", "mqueue", "nsfs", "openat2",
    "perf_events", "pid_namespace", "pidfd", "proc", "ptrace", "rlimits", "rseq", "sched",
    "seccomp", "sigaltstack", "splice", "sync", "syscall_user_dispatch", "timens", "timers",
    "tmpfs", "tty", "user_events", "vDSO")
# Of the kernel source: what the programs and their makefiles include.
PARTS = ("tools/testing/selftests", "tools/include", "tools/arch", "tools/lib", "tools/scripts",
         "tools/build", "scripts", "include", "mm/gup_test.h", "lib/test_hmm_uapi.h", "lib/vdso",
         "arch/arm64/include", "arch/arm64/kernel/vdso")


def copy_sources():
    for name in PARTS:
        target = TREE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (paths.SOURCE / name).is_dir():
            shutil.copytree(paths.SOURCE / name, target, symlinks=True)
        else:
            shutil.copy2(paths.SOURCE / name, target)


def compiler(sysroot):
    """Debian's libraries for arm64 come behind what the cross compiler has itself."""
    found = [f"-idirafter {sysroot}/usr/include", f"-idirafter {sysroot}/usr/include/aarch64-linux-gnu"]
    for folder in ("usr/lib/aarch64-linux-gnu", "lib/aarch64-linux-gnu"):
        found += [f"-L{sysroot}/{folder}", f"-Wl,-rpath-link={sysroot}/{folder}"]
    return " ".join([f"{paths.CROSS_COMPILE}gcc", *found])


def make(target, sysroot, log):
    """-k: what can be built is, and make fails if that is not all."""
    command = ["make", "-k", "-s", f"-j{os.cpu_count()}", "-C",
               TREE / "tools/testing/selftests", f"TARGETS={target}", "ARCH=arm64",
               f"CROSS_COMPILE={paths.CROSS_COMPILE}", f"CC={compiler(sysroot)}", f"O={BUILD}", "all"]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                   check=False, env=kernel.make_environment())


def is_program(path):
    if path.is_symlink() or not path.is_file() or path.suffix in (".o", ".d"):
        return False
    with open(path, "rb") as file:
        start = file.read(4)
    return start == b"\x7fELF" or start[:2] == b"#!"


def install(target):
    """Programs and scripts under the names that their sources have."""
    for root in (BUILD / "kselftest", TREE / "tools/testing/selftests"):
        for name in TARGETS:
            for path in sorted((root / name).rglob("*")):
                if is_program(path):
                    place = target / path.relative_to(root)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, place)
                    place.chmod(0o755)


def strip(target):
    programs = [path for path in target.rglob("*") if path.is_file() and path.suffix not in
                (".sh", ".py")]
    subprocess.run([f"{paths.CROSS_COMPILE}strip", "-g", *programs], check=False,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def build(target, sysroot):
    """Put all that could be built into the folder target. sysroot: libraries they are linked with."""
    if not (paths.HEADERS / "include").exists():
        raise LabError("the kernel's headers are missing: run `make kernel`")
    shutil.rmtree(FOLDER, ignore_errors=True)
    (BUILD / "usr").mkdir(parents=True)
    (BUILD / "usr/include").symlink_to(paths.HEADERS / "include")
    copy_sources()
    meter = Meter("the kernel's selftests", len(TARGETS))
    with open(LOG, "w", buffering=1) as log:
        for name in TARGETS:
            make(name, sysroot, log)
            meter.line(name)
    meter.clear()
    install(target)
    strip(target)
    shutil.rmtree(FOLDER, ignore_errors=True)
