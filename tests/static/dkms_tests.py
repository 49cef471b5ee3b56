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

from lab import deb, dkms, kernels
from lab.harness import Skip, test
from tests.static import root

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
EMPTY = """static const char x[] __attribute__((section(".modinfo"), used)) = "license=GPL";"""
MAKEFILE = f"""
modules:
	echo '{EMPTY}' | gcc -x c -c -o $(M)/kvm_apf.ko -
clean:
	rm -f $(M)/kvm_apf.ko
"""
FAILS = "modules:\n\t@echo the compiler fails; false\nclean:\n"

OLDER = "6.1.0-55-cloud-arm64"
CLOUD = "6.1.0-56-cloud-arm64"
# Debian 12 has it beside its own.
BESIDE = kernels.BESIDE
NEWER = f"{BESIDE}.117+deb12-rt-arm64"
EXCLUDED = "6.6.0-1-cloud-arm64"
BUILT_IN = f"{BESIDE}.9-own"
BROKEN = "6.1.0-57-cloud-arm64"
HAS_IT = "CONFIG_KVM_APF_GUEST=y\n"


def pack(folder, name, files, scripts, links=()):
    tree = folder / name
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
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


def compiled(folder):
    """An empty module."""
    subprocess.run(["gcc", "-x", "c", "-c", "-o", folder / "own.ko", "-"], input=EMPTY, text=True,
                   check=True)
    return (folder / "own.ko").read_bytes()


def pack_image(folder, release, module):
    """With a module of its own: dkms takes a kernel without any for one that is gone."""
    own = f"usr/lib/modules/{release}"
    pack(folder, f"linux-image-{release}",
         {f"{own}/modules.order": b"", f"{own}/modules.builtin": b"",
          f"{own}/kernel/own.ko": module},
         {"postinst": hook(release, "configure", "postinst.d", f"depmod {release}"),
          "prerm": hook(release, "remove", "prerm.d"), "postrm": FORGET.format(release=release)})


def pack_headers(folder, release, config="", makefile=MAKEFILE):
    source = f"usr/src/linux-headers-{release}"
    pack(folder, f"linux-headers-{release}",
         {f"{source}/.config": config.encode(), f"{source}/include/x": b"",
          f"{source}/Makefile": makefile.encode()},
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
        module = compiled(folder)
        for release in (OLDER, CLOUD, NEWER, EXCLUDED, BUILT_IN, BROKEN):
            pack_image(folder, release, module)
            pack_headers(folder, release, HAS_IT if release == BUILT_IN else "",
                         FAILS if release == BROKEN else MAKEFILE)
        yield folder


def install(*names):
    return ("dpkg --force-depends --path-exclude='/usr/share/man/*' -i "
            + " ".join(f"/mnt/{name}.deb" for name in names))


def purge(*names):
    return f"dpkg --purge {' '.join(names)}"


def both(release):
    return f"linux-headers-{release}", f"linux-image-{release}"


# Running kernel -> what brings its headers, and those of the next.
HEADERS = {
    CLOUD: "linux-headers-cloud-arm64",
    "6.1.0-56-arm64": "linux-headers-arm64",
    "6.1.0-56-rt-arm64": "linux-headers-rt-arm64",
    f"{BESIDE}.117+deb12-cloud-arm64": f"linux-headers-{BESIDE}-cloud-arm64",
    f"{BESIDE}.117+deb13-cloud-arm64": "linux-headers-cloud-arm64",
    f"{BESIDE}.117+deb13-arm64-16k": "linux-headers-arm64-16k",
    BUILT_IN: f"linux-headers-{BUILT_IN}",
}
DKMS = {"dkms": install("dkms")}
BEFORE = {**DKMS, "first": install(*both(CLOUD))}
DRIVER = {"driver": install("kvm-apf-dkms")}


def check(steps, *names):
    """Of those, or all: they have succeeded."""
    for name in names or steps:
        step = steps[name]
        assert step.status == 0, f"{name}: status {step.status}\n{step.said}{step.warned}"


def ours(step):
    """What is there of the module."""
    return [path for path in step.files if "kvm" in path or "updates" in path]


def built(step):
    return [path.split("/")[3] for path in step.files if path.endswith("/updates/dkms/kvm_apf.ko")]


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
    """A kernel is installed, headers and image together and one after the other, and removed."""
    return {f"{release} both": install(*both(release)), f"{release} goes": purge(*both(release)),
            f"{release} image": install(both(release)[1]),
            f"{release} headers": install(both(release)[0]),
            f"{release} gone": purge(*both(release))}


def check_nothing_built(steps, release, before):
    check(steps, *come_and_go(release))
    for what in ("both", "headers"):
        assert ours(steps[f"{release} {what}"]) == ours(steps[before]), what
    for what in ("goes", "gone"):
        same_files(steps, f"{release} {what}", before)


def check_built(steps, release, before):
    """Once it is gone dkms may have an empty folder for it."""
    check(steps, *come_and_go(release))
    for what in ("both", "headers"):
        assert release in built(steps[f"{release} {what}"]), what
    for what in ("goes", "gone"):
        assert built(steps[f"{release} {what}"]) == built(steps[before]), what


@for_each_dkms("kernels come and go, excluded or not")
def kernels_come_and_go(suite):
    with packages(suite) as folder:
        steps, _ = root.run(folder, {
            **BEFORE, **DRIVER, **come_and_go(EXCLUDED), **come_and_go(BUILT_IN),
            **come_and_go(NEWER), "remove": purge("kvm-apf-dkms")}, kernel=CLOUD)
    check(steps)
    check_nothing_built(steps, EXCLUDED, "driver")
    check_nothing_built(steps, BUILT_IN, "driver")
    check_built(steps, NEWER, "driver")
    same_files(steps, "remove", "first")


@for_each_dkms("the same where it has not been built yet")
def kernels_come_first(suite):
    """The last thing, for dkms 3.0.10 forgets a module with the last kernel that had it."""
    last = f"{NEWER} both"
    with packages(suite) as folder:
        steps, _ = root.run(folder, {
            **DKMS, **DRIVER, **come_and_go(EXCLUDED), **come_and_go(BUILT_IN),
            last: install(*both(NEWER)), "remove": purge("kvm-apf-dkms"),
            "gone": purge(*both(NEWER))}, kernel=CLOUD)
    check(steps)
    check_nothing_built(steps, EXCLUDED, "driver")
    check_nothing_built(steps, BUILT_IN, "driver")
    assert built(steps[last]) == [NEWER], built(steps[last])
    same_files(steps, "gone", "dkms")


def says(text, *words):
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in\n{text}"


def running(kernel):
    """The package is configured again, while another kernel runs."""
    return f"echo {kernel} >/mnt/kernel; /var/lib/dpkg/info/kvm-apf-dkms.postinst configure"


# What follows is not about dkms: its newest will do.
LAST = dkms.SUITES[-1]


@test("dkms: headers that are missing are named", LAST)
def missing_headers(suite):
    again = {kernel: running(kernel) for kernel in HEADERS}
    with packages(suite) as folder:
        steps, calls = root.run(folder, {
            **DKMS, "image": install(both(CLOUD)[1]), **DRIVER, **again,
            "headers": install(both(CLOUD)[0])}, kernel=CLOUD, place="machine")
    check(steps)
    says(steps["driver"].warned, f"NOT BUILT for the running kernel, {CLOUD}: its headers")
    for kernel, package in HEADERS.items():
        says(steps[kernel].warned, f"NOT BUILT for the running kernel, {kernel}: its headers",
             f"    apt install {package}\n")
    assert calls == [], calls
    assert built(steps["driver"]) == [] and built(steps["headers"]) == [CLOUD]


@for_each_dkms("a kernel for which it is not built is named")
def not_built(suite):
    kernels = (EXCLUDED, BUILT_IN, BROKEN)
    with packages(suite) as folder:
        steps, calls = root.run(folder, {
            **DKMS, "kernels": install(*both(EXCLUDED), *both(BUILT_IN)), **DRIVER,
            "broken": install(*both(BROKEN)), **{kernel: running(kernel) for kernel in kernels}},
            kernel=EXCLUDED, place="machine")
    check(steps, *DKMS, "kernels", *DRIVER, *kernels)
    says(steps["driver"].warned, f"NOT BUILT for the running kernel, {EXCLUDED}",
         "BUILD_EXCLUSIVE_KERNEL")
    says(steps["driver"].said, f"kernel {BUILT_IN} has the driver built in")
    says(steps[BROKEN].warned, f"NOT BUILT for {EXCLUDED}", f"dkms install -m kvm-apf -v 1.0 -k {BROKEN}",
         f"NOT BUILT for the running kernel, {BROKEN}: dkms failed with status")
    assert BUILT_IN not in steps[BUILT_IN].warned, steps[BUILT_IN].warned
    assert steps["broken"].status, "a module that cannot be built is a failure of the kernel's"
    assert calls == [] and built(steps[BROKEN]) == []


@for_each_dkms("built for each kernel with headers, loaded into the running one")
def on_a_machine(suite):
    loaded = "mkdir -p /sys/module/kvm_apf; echo live >/sys/module/kvm_apf/initstate"
    with packages(suite) as folder:
        steps, calls = root.run(folder, {
            **DKMS, "kernels": install(*both(OLDER), *both(CLOUD), *both(NEWER)), **DRIVER,
            "loaded": loaded, "remove": purge("kvm-apf-dkms")}, kernel=OLDER, place="machine")
    check(steps)
    assert built(steps["driver"]) == [OLDER, CLOUD, NEWER], built(steps["driver"])
    assert "NOT BUILT" not in steps["driver"].warned
    assert calls == ["kvm_apf", "-r kvm_apf"], calls
    same_files(steps, "remove", "kernels")


@test("dkms: nothing is loaded or unloaded in a chroot or a container", LAST)
def in_a_chroot(suite):
    """Where a kernel is installed that has the name of the one that is running outside."""
    loaded = "mkdir -p /sys/module/kvm_apf; echo live >/sys/module/kvm_apf/initstate"
    there = {"loaded": loaded, **DRIVER, "remove": purge("kvm-apf-dkms")}
    with packages(suite) as folder:
        steps, calls = root.run(folder, {
            **DKMS, "empty": install("kvm-apf-dkms"), "away": purge("kvm-apf-dkms"),
            "kernels": install(*both(OLDER), *both(CLOUD), both(NEWER)[1]), **there,
            "place": "echo container >/mnt/place",
            **{f"{name} again": line for name, line in there.items()}}, kernel=OLDER)
    check(steps)
    says(steps["empty"].warned, "there is no kernel here")
    for name in ("driver", "driver again"):
        assert built(steps[name]) == [OLDER, CLOUD], built(steps[name])
        says(steps[name].warned, f"NOT BUILT for {NEWER}: its headers",
             f"    apt install linux-headers-{BESIDE}-rt-arm64\n")
    assert calls == [], calls
    same_files(steps, "remove", "kernels")
    same_files(steps, "remove again", "kernels")


@test("dkms: its owner builds it himself", LAST)
def no_autoinstall(suite):
    with packages(suite) as folder:
        steps, calls = root.run(folder, {
            **BEFORE, "off": "touch /etc/dkms/no-autoinstall", **DRIVER,
            "self": "dkms install -m kvm-apf -v 1.0", "remove": purge("kvm-apf-dkms")},
            kernel=CLOUD, place="machine")
    check(steps)
    says(steps["driver"].warned, "NOT BUILT: /etc/dkms/no-autoinstall", "dkms install")
    assert built(steps["driver"]) == [] and built(steps["self"]) == [CLOUD] and calls == []
    same_files(steps, "remove", "first")
