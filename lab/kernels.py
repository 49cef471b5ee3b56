# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that the lab knows: the only place where versions are spelled out.

KERNELS has a row for each kernel that comes from Debian: the source that our code is grafted
into, and the kernels that guests run as Debian built them. FLAVOURS has a row for each way in
which the lab builds that source.
"""

import dataclasses

# What a kernel is for: targets of make.
BOOTS = ("demo", "bench", "bench-full", "test", "test-paranoid", "test-guests", "test-long",
         "test-differential", "simulate", "soak", "shell")
SOURCE = "source"


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A row of KERNELS.

    kind: "source", or the kind of Debian's kernel. suite: of Debian, has the package.
    hooks: the folder below hooks/ with the patches and the manifest, for a source.
    targets: the targets of make that use it. page_kib: size of its pages.
    """

    kind: str
    version: str
    package: str
    suite: str
    hooks: str = ""
    targets: tuple = ()
    page_kib: int = 4

    @property
    def name(self):
        return f"{self.kind}-{self.version}"


# The first of its kind is the one that is taken where one is enough.
KERNELS = (
    Kernel(SOURCE, "6.12", "linux-source-6.12", "bookworm-security", "6.12", BOOTS),
    Kernel("cloud", "6.12", "linux-image-6.12-cloud-arm64", "bookworm-security",
           targets=("bench", "bench-full", "test", "test-paranoid", "test-guests")),
    Kernel("arm64", "6.12", "linux-image-6.12-arm64", "bookworm-security",
           targets=("test-guests",)),
    Kernel("rt", "6.12", "linux-image-6.12-rt-arm64", "bookworm-security",
           targets=("test-guests",)),
    Kernel("16k", "6.12", "linux-image-6.12-arm64-16k", "bookworm-security",
           targets=("test-guests",), page_kib=16),
    Kernel("cloud", "6.1", "linux-image-cloud-arm64", "bookworm",
           targets=("bench", "bench-full", "test", "test-paranoid", "test-guests")),
    Kernel("arm64", "6.1", "linux-image-arm64", "bookworm", targets=("test-guests",)),
    Kernel("rt", "6.1", "linux-image-rt-arm64", "bookworm", targets=("test-guests",)),
)


def first(kind):
    return next(row for row in KERNELS if row.kind == kind)


# The one that is grafted and built.
LAB = first(SOURCE)
# Debian's, by name.
STOCK = {row.name: row for row in KERNELS if row.kind != SOURCE}
# The version that Debian 12 has beside its own, in packages with the version in their names.
BESIDE = next(row.version for row in STOCK.values() if row.version in row.package)


def stock_for(target):
    """Names of Debian's kernels that a target of make uses."""
    return tuple(name for name, row in STOCK.items() if target in row.targets)


@dataclasses.dataclass(frozen=True)
class Flavour:
    """A configuration of the lab's kernel: hooks/*/lab.config with flavours/NAME.config on top.

    targets: the targets of make that use it. seconds: what its first build takes on two CPUs,
    once the first flavour is there; lines: how many it prints. Both are guesses that serve the
    display of progress. lean: without what only the benchmark needs, by
    flavours/lean.config. slow: it checks itself, and may take so many times as long.
    """

    targets: tuple
    seconds: int
    lines: int = 1100
    lean: bool = False
    slow: int = 1


FLAVOURS = {
    "lab": Flavour(BOOTS, 400, 1390),
    "nodriver": Flavour(BOOTS, 45, 130),
    "paranoid": Flavour(("test", "test-paranoid"), 560, lean=True, slow=5),
    "kcsan": Flavour(("test-paranoid",), 480, lean=True, slow=4),
    "lockdep": Flavour(("test-guests",), 480, lean=True),
    "voluntary": Flavour(("test-guests",), 420, lean=True),
    "rt": Flavour(("test-guests",), 420, lean=True),
    "lab16k": Flavour(("test-long",), 420, lean=True),
    "lab64k": Flavour(("test-long",), 420, lean=True),
    "programs": Flavour(("test-differential",), 420),
}


def flavours_for(target):
    return tuple(name for name, flavour in FLAVOURS.items() if target in flavour.targets)
