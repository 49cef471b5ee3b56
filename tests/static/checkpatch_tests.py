# SPDX-License-Identifier: GPL-2.0-only
"""checkpatch --strict on all C, and on the hooks as patches."""

from lab import graft, paths
from lab.harness import test
from lab.paths import REPO
from tests.static.repository import quiet, sources

# These ask for a mail around the patch, or for an entry in MAINTAINERS.
MAIL = ("COMMIT_MESSAGE", "MISSING_SIGN_OFF", "NO_AUTHOR_SIGN_OFF", "FILE_PATH_CHANGES")
# These ask for types and macros that only the kernel has. CAMELCASE: PRIu64.
USER_SPACE = ("PREFER_KERNEL_TYPES", "PREFER_DEFINED_ATTRIBUTE_MACRO", "CAMELCASE")


def checkpatch(ignored, *arguments):
    """From within the source: some rules go by the file's path in the kernel."""
    options = [f"--ignore={','.join(ignored)}"] if ignored else []
    quiet(["perl", "scripts/checkpatch.pl", "--strict", "--quiet", "--terse", "--show-types",
           "--no-summary", *options, *arguments], cwd=paths.SOURCE)


def grafted_file(path):
    checkpatch((), "--file", path)


def user_space(folder, files):
    checkpatch(USER_SPACE, "--file", *files)


def hook(path):
    checkpatch(MAIL, path)


def by_folder():
    """C files that do not go into the kernel."""
    folders = {}
    kernel_bound = set(graft.Manifest().copies.values())
    for path in sources("*.c", "*.h"):
        if path not in kernel_bound:
            folders.setdefault(path.relative_to(REPO).parts[0], []).append(path)
    return sorted(folders.items())


for name in graft.Manifest().copies:
    if name.endswith((".c", ".h")):
        test(f"checkpatch: {name}", name)(grafted_file)
for top, members in by_folder():
    test(f"checkpatch: {top}/", top, members)(user_space)
for patch in sources("*.patch"):
    test(f"checkpatch: {patch.relative_to(REPO)}", patch)(hook)
