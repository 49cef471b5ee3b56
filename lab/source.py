# SPDX-License-Identifier: GPL-2.0-only
"""The kernel source in CACHE: unpacked or copied once, then grafted."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from lab import graft, kernels, paths
from lab.term import LabError, run_logged, step

DEBIAN_TARBALL = Path(f"/usr/src/{kernels.LAB.package}.tar.xz")
ORIGIN = paths.CACHE / "src" / "origin.json"


def chosen():
    """KERNEL_SOURCE, or what Debian's package installed."""
    given = os.environ.get("KERNEL_SOURCE")
    source = Path(given).resolve() if given else DEBIAN_TARBALL
    if not source.exists():
        hint = ("KERNEL_SOURCE names nothing" if given else
                f"install {kernels.LAB.package}, or give KERNEL_SOURCE=<tree or tarball of "
                f"Linux {kernels.LAB.version}>")
        raise LabError(f"{source} does not exist: {hint}")
    return source


def load_origin():
    try:
        return json.loads(ORIGIN.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def save_origin(origin):
    ORIGIN.write_text(json.dumps(origin))


def clear():
    """The origin goes first: a source half deleted must not pass for a whole one."""
    ORIGIN.unlink(missing_ok=True)
    shutil.rmtree(paths.SOURCE, ignore_errors=True)


def unpack(tarball):
    stat = tarball.stat()
    origin = {"from": str(tarball), "size": stat.st_size, "mtime": stat.st_mtime_ns}
    if load_origin() == origin:
        return
    clear()
    paths.SOURCE.mkdir(parents=True)
    with step(f"unpacking {tarball.name}"):
        run_logged(["tar", "xf", tarball, "-C", paths.SOURCE, "--strip-components=1"],
                   paths.LOG / "unpack.log")
    save_origin(origin)


def tree_files(tree):
    """The source files of a tree, without what a build left in it."""
    if (tree / ".git").exists():
        done = subprocess.run(["git", "-C", tree, "ls-files", "-z", "-co", "--exclude-standard"],
                              stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise LabError(f"git cannot list the files of {tree}")
        names = [name for name in done.stdout.decode().split("\0") if name]
        return [name for name in names if os.path.lexists(tree / name)]
    if (tree / ".config").exists() or (tree / "include/config").exists():
        raise LabError(f"{tree} has been built in: run `make mrproper` there, or give a clean copy")
    files = []
    for folder, dirs, names in os.walk(tree):
        dirs[:] = [d for d in dirs if os.path.join(folder, d) != str(tree / graft.RECORD_DIR)]
        inside = os.path.relpath(folder, tree)
        links = [d for d in dirs if os.path.islink(os.path.join(folder, d))]
        files += [os.path.normpath(os.path.join(inside, name)) for name in names + links]
    return files


def same(one, other):
    """Size and time tell; a copy keeps both."""
    try:
        a, b = os.lstat(one), os.lstat(other)
    except FileNotFoundError:
        return False
    return (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns)


def differing(tree, files, record):
    """Files of the tree that the copy lacks; a patched one is told by its pristine copy."""
    found = []
    for name in files:
        entry = record.files.get(name)
        if entry and entry["kind"] == "patch":
            if graft.read(record.pristine(name)) != graft.read(tree / name):
                found.append(name)
        elif not same(tree / name, paths.SOURCE / name):
            found.append(name)
    return found


def copy_tree(tree):
    """Bring the copy up to date; only what differs is written."""
    if (tree / graft.RECORD_DIR).exists():
        raise LabError(f"{tree} is grafted: run `make ungraft KERNEL={tree}` first")
    origin = load_origin()
    if origin.get("from") != str(tree):
        clear()
        origin = {}
        paths.SOURCE.mkdir(parents=True)
    files = tree_files(tree)
    record = graft.Record(paths.SOURCE)
    changed = differing(tree, files, record)
    gone = set(origin.get("files", [])) - set(files)
    if not changed and not gone:
        return
    with step(f"copying {tree}"):
        ORIGIN.unlink(missing_ok=True)
        if not record.files.keys().isdisjoint(gone.union(changed)):
            graft.remove(paths.SOURCE)
        for name in gone:
            (paths.SOURCE / name).unlink(missing_ok=True)
        for name in changed:
            target = paths.SOURCE / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy2(tree / name, target, follow_symlinks=False)
    save_origin({"from": str(tree), "files": files})


def ensure():
    """The grafted source, ready to build."""
    source = chosen()
    if source.is_dir():
        graft.check_base(source, graft.Manifest().base)
        copy_tree(source)
    else:
        unpack(source)
    changed = graft.apply(paths.SOURCE)
    if changed:
        print(f"grafted {len(changed)} files into {paths.SOURCE}", flush=True)
    return paths.SOURCE
