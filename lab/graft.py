# SPDX-License-Identifier: GPL-2.0-only
"""Put our code into a kernel tree, and take it out again.

Everything is computed in memory first; the tree is written only if all of it
succeeded. The record in <tree>/.apf-graft holds a pristine copy of each patched
file and the hash of each file we wrote, so that what we find can be told from
what somebody has edited since.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import paths
from lab.term import LabError

RECORD_DIR = ".apf-graft"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def read(path):
    """Content of a file, or None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


class Manifest:
    """hooks/<base>/manifest: `base V.P`, `copy REPO KERNEL`, `patch FILE`."""

    def __init__(self, folder=paths.HOOKS, repo=paths.REPO):
        self.folder, self.repo = Path(folder), Path(repo)
        self.base, self.copies, self.patches = None, {}, []
        text = (self.folder / "manifest").read_text()
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if words and not self._take(*words):
                raise LabError(f"{self.folder}/manifest:{number}: cannot be understood: {line}")
        if not self.base:
            raise LabError(f"{self.folder}/manifest: has no `base` line")

    def _take(self, verb, *args):
        if verb == "base" and len(args) == 1:
            self.base = args[0]
        elif verb == "copy" and len(args) == 2:
            self.copies[args[1]] = self.repo / args[0]
        elif verb == "patch" and len(args) == 1:
            self.patches.append(self.folder / args[0])
        else:
            return False
        return True

    def inputs(self):
        """All files that decide what the graft does."""
        return [self.folder / "manifest", *self.patches, *self.copies.values()]


class Record:
    """What we did to a tree. `files`: path -> kind, and the hashes that are ours."""

    def __init__(self, tree):
        self.dir = tree / RECORD_DIR
        self.text = read(self.dir / "record.json")
        data = json.loads(self.text) if self.text else {}
        self.files = data.get("files", {})
        self.dirs = data.get("dirs", [])

    @staticmethod
    def encode(files, dirs):
        data = {"files": files, "dirs": dirs}
        return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()

    def pristine(self, path):
        return self.dir / "pristine" / path


def check_base(tree, base):
    makefile = read(tree / "Makefile")
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL) = (\d+)$", (makefile or b"").decode(), re.M))
    if len(found) != 2 or not (tree / "arch/arm64/kvm").is_dir():
        raise LabError(f"{tree} is not a kernel source tree: give the folder that holds "
                       f"the kernel's Makefile")
    version = f"{found['VERSION']}.{found['PATCHLEVEL']}"
    if version != base:
        raise LabError(f"{tree} is Linux {version}; this graft is made for Linux {base}: "
                       f"give a {base} tree")


def edited(tree, record):
    """Grafted files that are no longer as we left them."""
    changed = []
    for path, entry in record.files.items():
        data = read(tree / path)
        ours = entry["sha256"] + [entry["was"]]
        if (sha(data) if data is not None else None) not in ours:
            changed.append(path)
    return changed


def refuse_edited(tree, record, verb):
    changed = edited(tree, record)
    if changed:
        names = "".join(f"\n  {path}" for path in changed)
        raise LabError(f"edited since they were grafted into {tree}:{names}\nNothing was changed. "
                       f"Save your edits, then `python3 -m lab graft {verb} --force {tree}` drops them.")


def patched_paths(patch):
    """Files that a patch changes; it must neither create, delete nor rename."""
    text = read(patch)
    if text is None:
        raise LabError(f"{patch} is missing: named in the manifest")
    names = re.findall(r"^--- (\S+).*\n\+\+\+ (\S+)", text.decode(), re.M)
    if not names:
        raise LabError(f"{patch}: no file to patch in it")
    for old, new in names:
        if "/dev/null" in (old, new) or old.split("/")[1:] != new.split("/")[1:]:
            raise LabError(f"{patch}: creates, deletes or renames a file ({old} -> {new}): "
                           f"use `copy` in the manifest for whole files")
    return [new.split("/", 1)[1] for _, new in names]


def apply_patch(patch, scratch, tree):
    """GNU patch in scratch: offsets are fine (stable releases differ), fuzz is not."""
    if not shutil.which("patch"):
        raise LabError("the program `patch` is missing: install it (`make deps` does)")
    done = subprocess.run(
        ["patch", "-p1", "--fuzz=0", "--force", "--no-backup-if-mismatch", "--reject-file=-",
         "--input", patch.resolve()],
        cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
    if done.returncode == 0:
        return
    where, failed = "?", []
    for line in done.stdout.splitlines():
        if match := re.match(r"patching file (\S+)", line):
            where = match[1]
        elif match := re.match(r"Hunk (#\d+) FAILED at (\d+)", line):
            failed.append(f"\n  {where}: hunk {match[1]}, at line {match[2]}")
    raise LabError(f"{patch.name} does not apply to {tree}:{''.join(failed) or done.stdout}\n"
                   f"Nothing was changed. The lines around are not those of the tree this was made "
                   f"for:\ntake a plain kernel.org or Debian tree of that version, or adapt {patch}")


def compute(tree, manifest, record):
    """The grafted content of every file: path -> (kind, bytes)."""
    wanted = {}
    for path, source in manifest.copies.items():
        data = read(source)
        if data is None:
            raise LabError(f"{source} is missing: named in {manifest.folder}/manifest")
        if path not in record.files and (tree / path).exists():
            raise LabError(f"{tree / path} exists already and is not ours. Nothing was changed. "
                           f"Has this tree got APF from elsewhere? Take a clean one")
        wanted[path] = ("copy", data)
    with tempfile.TemporaryDirectory(prefix="apf-graft-") as name:
        scratch = Path(name)
        touched = {}
        for patch in manifest.patches:
            for path in patched_paths(patch):
                if path in touched:
                    continue
                touched[path] = patch
                ours = record.files.get(path, {}).get("kind") == "patch"
                data = read(record.pristine(path) if ours else tree / path)
                if data is None:
                    raise LabError(f"{tree / path} is missing: {patch.name} changes it. "
                                   f"Nothing was changed. Take a complete source tree")
                (scratch / path).parent.mkdir(parents=True, exist_ok=True)
                (scratch / path).write_bytes(data)
            apply_patch(patch, scratch, tree)
        for path in touched:
            wanted[path] = ("patch", (scratch / path).read_bytes())
    return wanted


class Writer:
    """Writes files by rename, and can put everything back."""

    def __init__(self):
        self.undo = []

    def put(self, path, data, mode=None):
        """Data None removes the file. What is the same already is left alone."""
        old = read(path)
        if old == data:
            return False
        stat = path.stat() if old is not None else None
        self.undo.append((path, old, stat))
        self._put(path, data, mode if mode is not None else stat and stat.st_mode)
        return True

    @staticmethod
    def _put(path, data, mode):
        if data is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.apf-tmp")
        try:
            temporary.write_bytes(data)
            temporary.chmod(mode or 0o644)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def roll_back(self):
        for path, old, stat in reversed(self.undo):
            self._put(path, old, stat and stat.st_mode)
            if stat:
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def new_dirs(tree, path):
    """Folders that have to be made for a file, innermost first."""
    found = []
    folder = Path(path).parent
    while not (tree / folder).exists():
        found.append(str(folder))
        folder = folder.parent
    return found


def drop_empty(tree, dirs):
    for folder in sorted(dirs, key=len, reverse=True):
        if (tree / folder).is_dir() and not any((tree / folder).iterdir()):
            (tree / folder).rmdir()


def entries(tree, wanted, record, final):
    """The record's files. Until all is written, both old and new are ours."""
    files = {}
    for path, (kind, data) in wanted.items():
        hashes = [sha(data)]
        old = record.files.get(path)
        was = old["was"] if old else None
        if kind == "patch" and not old:
            was = sha((tree / path).read_bytes())
        if old and not final:
            hashes += old["sha256"]
        files[path] = {"kind": kind, "sha256": hashes, "was": was}
    if not final:
        files.update({path: entry for path, entry in record.files.items() if path not in files})
    return files


def write(tree, wanted, record):
    """Make the tree what compute() said. Returns the paths that changed."""
    dirs = sorted({d for path in wanted for d in new_dirs(tree, path)} | set(record.dirs))
    between = Record.encode(entries(tree, wanted, record, False), dirs)
    final = Record.encode(entries(tree, wanted, record, True), dirs)
    if record.text == final and not any(read(tree / p) != data for p, (_, data) in wanted.items()):
        return []
    writer, changed = Writer(), []
    try:
        for path, (kind, _) in wanted.items():
            if kind == "patch" and path not in record.files:
                writer.put(record.pristine(path), (tree / path).read_bytes())
        writer.put(record.dir / "record.json", between)
        for path, (_, data) in wanted.items():
            if writer.put(tree / path, data):
                changed.append(path)
        for path, entry in record.files.items():
            if path not in wanted:
                changed.append(path)
                restore(tree, path, entry, record, writer)
                writer.put(record.pristine(path), None)
        writer.put(record.dir / "record.json", final)
    except OSError as error:
        writer.roll_back()
        drop_empty(tree, dirs)
        if not record.text:
            shutil.rmtree(record.dir, ignore_errors=True)
        raise LabError(f"{error}. The tree was put back as it was") from error
    return changed


def restore(tree, path, entry, record, writer):
    data = read(record.pristine(path)) if entry["kind"] == "patch" else None
    if entry["kind"] == "patch" and data is None:
        raise LabError(f"{record.pristine(path)} is missing: {path} cannot be restored")
    writer.put(tree / path, data)


def apply(tree, manifest=None, force=False):
    """Graft. Returns the list of files that were written, empty if up to date."""
    manifest = manifest or Manifest()
    tree = Path(tree).resolve()
    check_base(tree, manifest.base)
    record = Record(tree)
    if not force:
        refuse_edited(tree, record, "apply")
    return write(tree, compute(tree, manifest, record), record)


def check(tree, manifest=None):
    """The files apply() would write; raises what apply() would raise."""
    manifest = manifest or Manifest()
    tree = Path(tree).resolve()
    check_base(tree, manifest.base)
    record = Record(tree)
    refuse_edited(tree, record, "apply")
    wanted = compute(tree, manifest, record)
    stale = [path for path in record.files if path not in wanted]
    return [path for path, (_, data) in wanted.items() if read(tree / path) != data] + stale


def remove(tree, force=False):
    """Take the graft out. Returns the list of files restored or deleted."""
    tree = Path(tree).resolve()
    record = Record(tree)
    if not record.text:
        raise LabError(f"{tree} has no graft of ours: nothing to remove")
    if not force:
        refuse_edited(tree, record, "remove")
    writer = Writer()
    try:
        for path, entry in record.files.items():
            restore(tree, path, entry, record, writer)
    except (OSError, LabError) as error:
        writer.roll_back()
        raise LabError(f"{error}. The tree was put back as it was") from error
    drop_empty(tree, record.dirs)
    shutil.rmtree(record.dir)
    return list(record.files)


def arguments(parser):
    parser.add_argument("verb", choices=("apply", "remove", "check"),
                        help="check: say what apply would do, and change nothing")
    parser.add_argument("tree", type=Path, help="kernel source tree")
    parser.add_argument("--force", action="store_true",
                        help="drop what was edited in grafted files since")


def tell(verb, tree, files):
    for path in files:
        print(f"  {path}")
    print(f"{tree}: {len(files)} files {verb}")


def command(args):
    """Put the APF code into a Linux kernel tree, or take it out."""
    if args.verb == "apply":
        tell("written", args.tree, apply(args.tree, force=args.force))
    elif args.verb == "remove":
        tell("restored or deleted", args.tree, remove(args.tree, force=args.force))
    else:
        files = check(args.tree)
        tell("to be written (would apply cleanly)" if files else "differ: up to date",
             args.tree, files)
        return 1 if files else 0
    return 0
