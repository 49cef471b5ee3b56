# SPDX-License-Identifier: GPL-2.0-only
"""The driver's package and dkms of Debian 12 and 13, while kernels come and go.

dpkg, the packages of dkms and of the driver with their scripts, and dkms's hooks for kernels are
the real ones. The kernels are packages made here, whose headers build a module of no content;
with Debian's kernels and the real driver the same is done by owner_tests.py.
"""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import root
from harness import Skip, test
from lab import deb, dkms

# What Debian's own packages do, but for symbolic links, initramfs and boot loader.
HOOK = """#!/bin/sh
set -e
[ "$1" = {action} ] || exit 0
{command}
DEB_MAINT_PARAMS="$*" run-parts --report --exit-on-error --arg={release} \\
	--arg=/boot/vmlinuz-{release} /etc/kernel/{folder}
"""
FORGET = """#!/bin/sh
rm -f /lib/modules/{release}/modules.*
"""
MAKEFILE = """
modules:
	echo 'static const char x[] __attribute__((section(".modinfo"), used)) = "license=GPL";' | \\
		gcc -x c -c -o $(M)/kvm_apf.ko -
clean:
	rm -f $(M)/kvm_apf.ko
"""
FAILS = "modules:\n\t@echo the compiler fails; false\nclean:\n"

CLOUD = "6.1.0-56-cloud-arm64"
NEWER = "6.12.117+deb12-rt-arm64"
EXCLUDED = "6.6.0-1-cloud-arm64"
BUILT_IN = "6.12.9-own"
BROKEN = "6.1.0-57-cloud-arm64"
HAS_IT = "CONFIG_KVM_APF_GUEST=y\n"


def pack(folder, name, files, scripts, links=()):
    tree = folder / name
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for path, target in links:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    for script, text in scripts.items():
        (tree / "DEBIAN").mkdir(exist_ok=True)
        (tree / "DEBIAN" / script).write_text(text)
        (tree / "DEBIAN" / script).chmod(0o755)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        "Description: for a test\n")
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree,
                    folder / f"{name}.deb"], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)


def hook(release, action, folder, command=""):
    return HOOK.format(release=release, action=action, folder=folder, command=command)


def pack_image(folder, release):
    own = f"usr/lib/modules/{release}"
    pack(folder, f"linux-image-{release}",
         {f"{own}/modules.order": "", f"{own}/modules.builtin": "", f"{own}/kernel/x": ""},
         {"postinst": hook(release, "configure", "postinst.d", f"depmod {release}"),
          "prerm": hook(release, "remove", "prerm.d"), "postrm": FORGET.format(release=release)})


def pack_headers(folder, release, config="", makefile=MAKEFILE):
    source = f"usr/src/linux-headers-{release}"
    pack(folder, f"linux-headers-{release}",
         {f"{source}/.config": config, f"{source}/include/x": "", f"{source}/Makefile": makefile},
         {"postinst": hook(release, "configure", "header_postinst.d")},
         [(f"usr/lib/modules/{release}/build", f"/{source}")])


@contextlib.contextmanager
def packages(suite):
    """A folder with all of them."""
    if not shutil.which("dpkg-deb"):
        raise Skip("dpkg-deb is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(dkms.ensure(suite), folder / "dkms.deb")
        deb.build(folder)[0].rename(folder / "kvm-apf-dkms.deb")
        for release in (CLOUD, NEWER, EXCLUDED, BUILT_IN, BROKEN):
            pack_image(folder, release)
            pack_headers(folder, release, HAS_IT if release == BUILT_IN else "",
                         FAILS if release == BROKEN else MAKEFILE)
        yield folder


def install(*names):
    return "dpkg --force-depends -i " + " ".join(f"/mnt/{name}.deb" for name in names)


def purge(*names):
    return f"dpkg --purge {' '.join(names)}"


def both(release):
    return f"linux-headers-{release}", f"linux-image-{release}"


BEFORE = {"dkms": install("dkms"), "first": install(*both(CLOUD))}
DRIVER = {"driver": install("kvm-apf-dkms")}


def check(steps, *names):
    """Of those, or all: they have succeeded."""
    for name in names or steps:
        step = steps[name]
        assert step.status == 0, f"{name}: status {step.status}\n{step.said}{step.warned}"


def ours(step):
    """What is there of the module."""
    return [path for path in step.files if "kvm" in path or "updates" in path]


def same_files(steps, name, other):
    changed = set(steps[name].files) ^ set(steps[other].files)
    assert not changed, f"after {name} not as after {other}: {sorted(changed)}"


def for_each_dkms(name):
    """Register a function once for each version of dkms."""
    def register(function):
        for suite in dkms.SUITES:
            test(f"dkms of {suite}: {name}", suite)(function)
        return function
    return register


def come_and_go(release):
    """A kernel is installed, image and headers together and one after the other, and removed."""
    return {f"{release} comes": install(*both(release)), f"{release} goes": purge(*both(release)),
            f"{release} image": install(both(release)[1]),
            f"{release} headers": install(both(release)[0]),
            f"{release} module": f"modinfo -k {release} -F filename kvm_apf",
            f"{release} gone": purge(*both(release))}


def check_come_and_go(steps, release, before):
    check(steps, *(f"{release} {what}" for what in ("comes", "goes", "image", "headers", "gone")))
    same_files(steps, f"{release} goes", before)
    same_files(steps, f"{release} gone", before)


def check_nothing_built(steps, release, before):
    check_come_and_go(steps, release, before)
    for what in ("comes", "headers"):
        assert ours(steps[f"{release} {what}"]) == ours(steps[before]), what


def check_built(steps, release, before):
    check_come_and_go(steps, release, before)
    for what in ("comes", "headers"):
        assert f"/lib/modules/{release}/updates/dkms/kvm_apf.ko" in steps[f"{release} {what}"].files
    check(steps, f"{release} module")


@for_each_dkms("kernels come and go, excluded or not")
def kernels_come_and_go(suite):
    with packages(suite) as folder:
        steps, _ = root.run(folder, {
            **BEFORE, **DRIVER, **come_and_go(EXCLUDED), **come_and_go(BUILT_IN),
            **come_and_go(NEWER), "remove": purge("kvm-apf-dkms")})
    check(steps, *BEFORE, *DRIVER, "remove")
    check_nothing_built(steps, EXCLUDED, "driver")
    check_nothing_built(steps, BUILT_IN, "driver")
    check_built(steps, NEWER, "driver")
    same_files(steps, "remove", "first")


@for_each_dkms("the same where it has not been built yet")
def kernels_come_first(suite):
    with packages(suite) as folder:
        steps, _ = root.run(folder, {
            "dkms": install("dkms"), **DRIVER, **come_and_go(EXCLUDED), **come_and_go(BUILT_IN),
            **come_and_go(NEWER), "remove": purge("kvm-apf-dkms")})
    check(steps, "dkms", *DRIVER, "remove")
    check_nothing_built(steps, EXCLUDED, "driver")
    check_nothing_built(steps, BUILT_IN, "driver")
    check_built(steps, NEWER, "driver")
    same_files(steps, "remove", "dkms")
