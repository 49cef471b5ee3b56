# SPDX-License-Identifier: GPL-2.0-only
"""The graft: on a small tree made for it, and on the files of the real one."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from lab import graft, kernel, paths
from lab.harness import test
from lab.term import LabError

MAKEFILE = "# SPDX\nVERSION = 9\nPATCHLEVEL = 7\nSUBLEVEL = 1\n"
LINES = [f"line {n}" for n in range(40)]
PATCH = """--- a/arch/arm64/kvm/mmu.c
+++ b/arch/arm64/kvm/mmu.c
@@ -19,6 +19,7 @@
 line 18
 line 19
 line 20
+grafted
 line 21
 line 22
 line 23
"""


@contextlib.contextmanager
def toy():
    """(tree, manifest): a kernel tree in small, and a repository to graft from."""
    with tempfile.TemporaryDirectory(prefix="apf-test-") as name:
        tree, repo = Path(name, "tree"), Path(name, "repo")
        put(tree / "Makefile", MAKEFILE)
        put(tree / "arch/arm64/kvm/mmu.c", "\n".join(LINES) + "\n")
        put(repo / "new.c", "int new;\n")
        put(repo / "hooks/manifest", "base 9.7\ncopy new.c drivers/virt/apf/new.c\npatch a.patch\n")
        put(repo / "hooks/a.patch", PATCH)
        yield tree, graft.Manifest(repo / "hooks", repo)


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def snapshot(tree):
    """Every file and folder: name, mode, content, time of change."""
    state = {}
    for path in sorted(tree.rglob("*")):
        stat = path.lstat()
        data = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        state[str(path.relative_to(tree))] = (stat.st_mode, data, path.is_dir() or stat.st_mtime_ns)
    return state


def contents(tree):
    return {name: entry[:2] for name, entry in snapshot(tree).items()}


def refuses(tree, manifest, *words):
    """apply() refuses, says these words, and leaves the tree as it was."""
    before = snapshot(tree)
    try:
        graft.apply(tree, manifest)
    except LabError as error:
        lost = [word for word in words if word not in str(error)]
        assert not lost, f"the message does not say {lost}: {error}"
    else:
        raise AssertionError("was not refused")
    assert snapshot(tree) == before, "the tree was changed"


@test("graft: applies, and removes to the last byte")
def round_trip():
    with toy() as (tree, manifest):
        before = contents(tree)
        graft.apply(tree, manifest)
        assert "grafted" in (tree / "arch/arm64/kvm/mmu.c").read_text()
        assert (tree / "drivers/virt/apf/new.c").read_text() == "int new;\n"
        graft.remove(tree)
        assert contents(tree) == before


@test("graft: the second apply writes nothing")
def idempotent():
    with toy() as (tree, manifest):
        graft.apply(tree, manifest)
        before = snapshot(tree)
        assert graft.apply(tree, manifest) == []
        assert snapshot(tree) == before


@test("graft: a changed repository rewrites only what changed")
def update():
    with toy() as (tree, manifest):
        graft.apply(tree, manifest)
        patched = (tree / "arch/arm64/kvm/mmu.c").stat().st_mtime_ns
        put(manifest.repo / "new.c", "int newer;\n")
        assert graft.check(tree, manifest) == ["drivers/virt/apf/new.c"]
        assert graft.apply(tree, manifest) == ["drivers/virt/apf/new.c"]
        assert (tree / "arch/arm64/kvm/mmu.c").stat().st_mtime_ns == patched
        put(manifest.folder / "manifest", "base 9.7\n")
        graft.apply(tree, graft.Manifest(manifest.folder, manifest.repo))
        assert (tree / "arch/arm64/kvm/mmu.c").read_text().splitlines() == LINES
        assert not (tree / "drivers/virt/apf/new.c").exists()


@test("graft: offsets are accepted")
def offset():
    with toy() as (tree, manifest):
        put(tree / "arch/arm64/kvm/mmu.c", "\n".join(["first"] * 7 + LINES) + "\n")
        graft.apply(tree, manifest)
        lines = (tree / "arch/arm64/kvm/mmu.c").read_text().splitlines()
        assert lines.index("grafted") == 7 + 21


@test("graft: fuzz is refused, and names file and hunk")
def fuzz():
    with toy() as (tree, manifest):
        mmu = tree / "arch/arm64/kvm/mmu.c"
        put(mmu, mmu.read_text().replace("line 18\n", "line XVIII\n"))
        refuses(tree, manifest, "a.patch", "arch/arm64/kvm/mmu.c", "#1", "line 19")


@test("graft: another version is refused")
def wrong_version():
    with toy() as (tree, manifest):
        put(tree / "Makefile", MAKEFILE.replace("7", "8"))
        refuses(tree, manifest, "9.8", "9.7")


@test("graft: what is no kernel tree is refused")
def no_kernel():
    with toy() as (tree, manifest):
        (tree / "Makefile").unlink()
        refuses(tree, manifest, "not a kernel source tree")
        refuses(tree / "nowhere", manifest, "not a kernel source tree")


@test("graft: a missing file is refused")
def missing_file():
    with toy() as (tree, manifest):
        (tree / "arch/arm64/kvm/mmu.c").unlink()
        refuses(tree, manifest, "arch/arm64/kvm/mmu.c", "missing")


@test("graft: a file of somebody else's is refused")
def foreign_file():
    with toy() as (tree, manifest):
        put(tree / "drivers/virt/apf/new.c", "int foreign;\n")
        refuses(tree, manifest, "drivers/virt/apf/new.c", "not ours")


@test("graft: edits made since are not lost without --force")
def edits():
    with toy() as (tree, manifest):
        before = contents(tree)
        graft.apply(tree, manifest)
        put(tree / "drivers/virt/apf/new.c", "int edited;\n")
        refuses(tree, manifest, "drivers/virt/apf/new.c", "--force")
        edited = snapshot(tree)
        try:
            graft.remove(tree)
        except LabError as error:
            assert "drivers/virt/apf/new.c" in str(error), error
        else:
            raise AssertionError("remove was not refused")
        assert snapshot(tree) == edited
        graft.remove(tree, force=True)
        assert contents(tree) == before


@test("graft: a failed write puts everything back")
def rollback():
    with toy() as (tree, manifest):
        before = contents(tree)
        broken = failing_writer(3)
        original, graft.Writer = graft.Writer, broken
        try:
            graft.apply(tree, manifest)
        except LabError as error:
            assert "put back" in str(error), error
        else:
            raise AssertionError("the error was lost")
        finally:
            graft.Writer = original
        assert contents(tree) == before


def failing_writer(count):
    class Failing(graft.Writer):
        def put(self, path, data, mode=None):
            if len(self.undo) == count:
                raise OSError(28, os.strerror(28))
            return super().put(path, data, mode)
    return Failing


@test("graft: the real one, on the files it touches")
def real():
    manifest = graft.Manifest()
    source = graft.Record(paths.SOURCE)
    with tempfile.TemporaryDirectory(prefix="apf-test-") as name:
        tree = Path(name)
        shutil.copyfile(paths.SOURCE / "Makefile", tree / "Makefile")
        (tree / "arch/arm64/kvm").mkdir(parents=True)
        for path, entry in source.files.items():
            if entry["kind"] == "patch":
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source.pristine(path), tree / path)
        before = contents(tree)
        graft.apply(tree, manifest)
        for path in source.files:
            assert (tree / path).read_bytes() == (paths.SOURCE / path).read_bytes(), path
        assert graft.apply(tree, manifest) == []
        graft.remove(tree)
        assert contents(tree) == before


@test("graft: KCSAN looks at each of our files")
def kcsan_looks_at_each():
    words = kernel.words_for_make("kcsan")
    folders = {"arch/arm64/kvm": "", "arch/arm64/kvm/vgic": "vgic/", "drivers/virt/kvm_apf": ""}
    ours = [Path(name) for name in graft.Manifest().copies
            if name.endswith(".c") and not name.startswith("tools/")]
    missing = [path for path in ours
               if f"KCSAN_SANITIZE_{folders[str(path.parent)]}{path.stem}.o=y" not in words]
    assert ours and not missing, f"not in lab/flavours/kcsan.make: {missing}"
