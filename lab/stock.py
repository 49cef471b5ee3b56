# SPDX-License-Identifier: GPL-2.0-only
"""Debian's own arm64 kernels, as they are, and our modules built for them.

What a guest owner has: the kernel's package, its headers, and the driver as a module.
The packages are unpacked side by side below one root, as an installation has them.
"""

import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import apt, graft, images, kernel, kernels, make, paths
from lab.cpio import Archive
from lab.term import LabError, cache_lock, run_logged, run_to_log, say, step

FOLDER = paths.CACHE / "stock"
ROOT = FOLDER / "root"
FIRMWARE = ROOT / "usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
LOG = paths.LOG / "stock.log"
HINT = "Debian's kernels come from the archive that /etc/apt names: is it reachable?"

# Name -> package that depends on the newest kernel of its kind; -headers- likewise.
KERNELS = {name: row.package for name, row in kernels.STOCK.items()}
# A kernel of the lab's own, which loads the driver like one of theirs.
LOCKDEP = "lockdep"
# Those of `make test`.
FEW = kernels.stock_for("test")
# A guest's first step: a distribution's kernel is not through with itself when it starts init.
SETTLE = "sleep 500"

# The driver as a module: where its files are, and where its Kbuild wants them.
DRIVER = {
    "guest/Kbuild": "Kbuild",
    "guest/compat.h": "compat.h",
    "guest/discover.c": "discover.c",
    "guest/fault.c": "fault.c",
    "guest/kvm_apf.h": "kvm_apf.h",
    "guest/setup.c": "setup.c",
    "abi/kvm_apf.h": "include/uapi/asm/kvm_apf.h",
}
COLD = {"tests/guests/cold/Kbuild": "Kbuild", "tests/guests/cold/apf_cold.c": "apf_cold.c"}
OURS = {"kvm_apf": DRIVER, "apf_cold": COLD}
# In the order in which they need each other; one that has no file is built in.
WANTED = ("virtio/virtio_ring", "virtio/virtio", "virtio/virtio_mmio", "char/virtio_console")
# What is told without BTF, which nobody here needs.
NO_BTF = re.compile(r"Skipping BTF generation for \S+ due to unavailability of vmlinux\n?")


def stamp(name):
    return FOLDER / f"{name}.json"


def release(name):
    """As `uname -r` says it in the guest; "" if it has not been fetched, or built."""
    if name == LOCKDEP:
        return f"the lab's {name} kernel" if image(name).exists() else ""
    text = graft.read(stamp(name))
    return json.loads(text)["release"] if text else ""


def headers(name):
    if name == LOCKDEP:
        return kernel.build_dir(name)
    return ROOT / "usr/src" / f"linux-headers-{release(name)}"


def depends(state, package):
    """Names of the packages that it needs, the first of each choice."""
    done = subprocess.run(state.command("show", "--no-all-versions", package, program="apt-cache"),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    found = re.search(r"^Depends: (.*)$", done.stdout, re.M)
    if not found:
        raise LabError(f"apt knows no {package}. {HINT}")
    return re.findall(r"(?:^|, )([\w.+-]+)", found[1])


def packages(state, name):
    """Kernel and headers, and the programs that build modules, for this machine."""
    image = next(word for word in depends(state, KERNELS[name]) if word.startswith("linux-image-"))
    own = image.replace("linux-image-", "linux-headers-", 1)
    wanted = [image, own]
    for word in depends(state, own):
        if word.endswith(("-common", "-common-rt")):
            wanted.append(word)
        elif word.startswith("linux-kbuild-"):
            wanted.append(f"{word}:{apt.native_architecture()}")
    return wanted


def unpack(package):
    """Of a kernel: its image, and the modules without which it has no console."""
    only = []
    if package.name.startswith("linux-image-"):
        only = ["--wildcards", "./boot/vmlinuz-*",
                *(f"./lib/modules/*/kernel/drivers/{word}.ko*" for word in WANTED)]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                          stdout=subprocess.PIPE) as child:
        subprocess.run(["tar", "-x", "-C", ROOT, "--no-same-owner", *only], stdin=child.stdout,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if child.returncode:
        raise LabError(f"{package.name} could not be unpacked")


def settle(name):
    """The headers name each other by their place in a system, which is not here. Without
    vmlinux no BTF is made, for which one would need pahole.
    """
    folder = headers(name)
    makefile = folder / "Makefile"
    makefile.write_text(makefile.read_text().replace("include /usr/", f"include {ROOT}/usr/"))
    (folder / "vmlinux").unlink(missing_ok=True)


def fetch(names):
    with apt.state("stock", native=True) as state:
        state.update(LOG)
        wanted = {name: packages(state, name) for name in names}
        run_logged(state.command("download", *dict.fromkeys(sum(wanted.values(), []))), LOG,
                   cwd=state.archives)
        ROOT.mkdir(parents=True, exist_ok=True)
        for package in state.packages():
            unpack(package)
    for name in names:
        stamp(name).write_text(json.dumps(
            {"release": wanted[name][0].removeprefix("linux-image-"), "packages": wanted[name]}))
        settle(name)


def image(name):
    if name == LOCKDEP:
        return kernel.image(name)
    return ROOT / "boot" / f"vmlinuz-{release(name)}"


def make_command(name, folder, *args):
    """Without CC it would be a gcc of the kernel's own age."""
    return ["make", "-s", "--no-print-directory", "-C", str(headers(name)), f"M={folder}",
            "ARCH=arm64", f"CROSS_COMPILE={paths.CROSS_COMPILE}", f"CC={paths.CROSS_COMPILE}gcc", *args]


def stage(files, folder):
    """A module's source as its Kbuild wants it."""
    shutil.rmtree(folder, ignore_errors=True)
    for source, target in files.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths.REPO / source, folder / target)


def compile_module(name, module, *args):
    """What make said of it; the module is in its folder."""
    folder = FOLDER / name / module
    stage(OURS[module], folder)
    log = paths.LOG / f"module-{name}-{module}.log"
    status = run_to_log(make_command(name, folder, *args, "modules"), log,
                        env=make.kernel_environment())
    return status, NO_BTF.sub("", log.read_text(errors="replace"))


def module_file(name, module):
    return FOLDER / name / f"{module}.ko"


def build_module(name, module):
    status, said = compile_module(name, module)
    if status:
        raise LabError(f"{module}.ko for {release(name)}: make failed:\n{said}")
    run_logged([f"{paths.CROSS_COMPILE}strip", "--strip-debug", "-o", module_file(name, module),
                FOLDER / name / module / f"{module}.ko"], LOG)


def own_modules(name):
    """(name, content) of the kernel's own modules that a guest of apfvm needs, in order."""
    drivers = ROOT / "lib/modules" / release(name) / "kernel/drivers"
    for word in WANTED:
        for path in drivers.glob(f"{word}.ko*"):
            data = path.read_bytes()
            yield Path(word).name, lzma.decompress(data) if path.suffix == ".xz" else data


def archive_file(name, when):
    return FOLDER / name / f"{when}.cpio"


def whole_archive(name, when):
    """For a VMM other than apfvm: the initramfs and what is to follow it, in one."""
    path = FOLDER / name / f"{when}-whole.cpio"
    new = path.with_suffix(f".{os.getpid()}")
    new.write_bytes(images.guest_archive() + archive_file(name, when).read_bytes())
    new.replace(path)
    return path


def firmware():
    """Debian's UEFI for QEMU's virt machine, which describes it to the guest by ACPI."""
    path = FIRMWARE
    if not path.exists():
        with step("fetching UEFI for QEMU"), apt.state("firmware") as state:
            state.update(LOG)
            run_logged(state.command("download", "qemu-efi-aarch64"), LOG, cwd=state.archives)
            unpack(state.packages()[0])
    return path


def write_archives(name):
    """To follow the guest's initramfs, whose init loads what /modules lists: also the
    driver (boot), or without it (late).
    """
    modules = dict(own_modules(name))
    listed = [*modules, "apf_cold"]
    modules.update((module, module_file(name, module).read_bytes()) for module in OURS)
    for when, names in (("late", listed), ("boot", [*listed, "kvm_apf"])):
        archive = Archive()
        for module, data in modules.items():
            archive.file(f"{module}.ko", data)
        archive.file("modules", "".join(f"/{module}.ko\n" for module in names).encode())
        archive_file(name, when).write_bytes(archive.encode())


def digest(name):
    total = hashlib.sha256(f"{release(name)} {ROOT}".encode() + Path(__file__).read_bytes())
    if name == LOCKDEP:
        total.update(kernel.stamp_file(name).read_bytes())
    for files in OURS.values():
        for source in files:
            total.update((paths.REPO / source).read_bytes())
    return total.hexdigest()


def is_fetched(name):
    return bool(release(name)) and image(name).exists()


def is_built(name):
    return graft.read(FOLDER / name / "built") == digest(name).encode()


def is_due(names):
    return any(not is_fetched(name) or not is_built(name) for name in names)


def build(name):
    """Our modules, unless they are up to date."""
    built = FOLDER / name / "built"
    now = digest(name).encode()
    if graft.read(built) != now:
        with step(f"modules for {release(name)}"):
            for module in OURS:
                build_module(name, module)
            write_archives(name)
        built.write_bytes(now)


def ensure(names):
    """Fetches what is missing and builds what has changed."""
    known = (*KERNELS, LOCKDEP)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise LabError(f"no such kernel: {', '.join(unknown)}; there is {', '.join(known)}")
    if LOCKDEP in names and not release(LOCKDEP):
        raise LabError(f"the kernel {LOCKDEP} is not built: run `python3 -m lab kernel {LOCKDEP}`")
    missing = [name for name in names if name in KERNELS and not is_fetched(name)]
    if missing:
        try:
            with step(f"fetching Debian's kernels: {', '.join(missing)}"):
                fetch(missing)
        except LabError as error:
            raise LabError(f"{error}\n{HINT}") from error
    for name in names:
        build(name)


def provide(names, with_firmware=False):
    """ensure(), on a Debian system."""
    if not shutil.which("apt-get"):
        say("not a Debian system: what needs Debian's kernels is left out")
        return
    with cache_lock():
        ensure(names)
        if with_firmware:
            firmware()


def arguments(parser):
    parser.add_argument("kernel", nargs="*",
                        help=f"of {' '.join(KERNELS)}; all: each, the lab's {LOCKDEP}, "
                             f"and UEFI for QEMU (default: {' '.join(FEW)})")


def command(args):
    """Fetch Debian's own arm64 kernels with their headers, and build our modules for them."""
    names = args.kernel or FEW
    every = "all" in names
    provide((*KERNELS, LOCKDEP) if every else tuple(names), every)
    return 0
