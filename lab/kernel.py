# SPDX-License-Identifier: GPL-2.0-only
"""Build the kernels of the lab, one per flavour."""

import hashlib
import os
import re
import shutil
import subprocess

from lab import graft, kernels, make, paths, source
from lab.term import LabError, Meter, cache_lock, run_logged, say, step

BASE_FLAVOUR = "lab"
HEADERS_STAMP = paths.HEADERS / "stamp"
# Those of `make test`.
FLAVOURS = kernels.flavours_for("test")
# Those that do without what only the benchmark needs, by flavours/lean.config.
LEAN = tuple(name for name, flavour in kernels.FLAVOURS.items() if flavour.lean)
# Those that check themselves: how many times as long they may take.
SLOW = {name: flavour.slow for name, flavour in kernels.FLAVOURS.items() if flavour.slow > 1}

# Fixed, so that two builds of the same source are the same to the byte.
IDENTITY = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "apf",
    "KBUILD_BUILD_HOST": "lab",
    "KBUILD_BUILD_VERSION": "1",
}


def build_dir(flavour):
    return paths.BUILD / flavour


def image(flavour):
    return build_dir(flavour) / "arch/arm64/boot/Image"


def chosen():
    """The flavour that hosts run, and guests with a driver."""
    return os.environ.get("KERNEL_FLAVOUR") or BASE_FLAVOUR


def checks_itself():
    """Whether the chosen one is slow for that."""
    return chosen() in SLOW


def environment():
    """CCACHE_DEPEND: what is not in the cache is preprocessed once, not twice."""
    return {**os.environ, **IDENTITY, "LC_ALL": "C", "CCACHE_DIR": str(paths.CACHE / "ccache"),
            "CCACHE_BASEDIR": str(paths.CACHE), "CCACHE_DEPEND": "1"}


def words_for_make(flavour):
    """Those of the flavour's own, for make's command line."""
    text = (graft.read(paths.FLAVOURS / f"{flavour}.make") or b"").decode()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def make_command(flavour, *args):
    return ["make", f"-j{os.cpu_count()}", "-C", str(paths.SOURCE), f"O={build_dir(flavour)}",
            "ARCH=arm64", f"CROSS_COMPILE={paths.CROSS_COMPILE}",
            f"CC=ccache {paths.CROSS_COMPILE}gcc", *words_for_make(flavour), *args]


def make_environment():
    """Without what an outer make would hand down, such as its V, T or job slots."""
    return make.kernel_environment(environment())


def parse_config(text):
    """Symbol -> value as .config writes it; None for `is not set`."""
    options = {}
    for line in text.splitlines():
        if match := re.match(r"(CONFIG_\w+)=(.*)$", line):
            options[match[1]] = None if match[2] == "n" else match[2]
        elif match := re.match(r"# (CONFIG_\w+) is not set$", line):
            options[match[1]] = None
    return options


def fragment(flavour):
    """The options a flavour asks for: the base's, and its own on top."""
    options = parse_config((paths.HOOKS / "lab.config").read_text())
    if flavour in LEAN:
        options.update(parse_config((paths.FLAVOURS / "lean.config").read_text()))
    extra = paths.FLAVOURS / f"{flavour}.config"
    if extra.exists():
        options.update(parse_config(extra.read_text()))
    return options


def render(options):
    lines = [f"# {name} is not set" if value is None else f"{name}={value}"
             for name, value in options.items()]
    return "\n".join(lines) + "\n"


def missing_options(wanted, config):
    """What was asked for and did not come, as `name: asked, got`."""
    return [f"{name}: asked for {value or 'n'}, got {config.get(name) or 'n'}"
            for name, value in wanted.items() if config.get(name) != value]


def configure(flavour, options):
    folder = build_dir(flavour)
    allconfig = folder / "apf.config"
    folder.mkdir(parents=True, exist_ok=True)
    allconfig.write_text(render(options))
    run_logged(make_command(flavour, f"KCONFIG_ALLCONFIG={allconfig}", "allnoconfig"),
               paths.LOG / f"config-{flavour}.log", env=make_environment())
    bad = missing_options(options, parse_config((folder / ".config").read_text()))
    if bad:
        raise LabError(f"kernel {flavour}: options that did not land in {folder}/.config "
                       f"(misspelt, or a dependency is missing):\n  " + "\n  ".join(bad))


def stamp(flavour, options):
    """Hash of all that a build comes from."""
    compiler = subprocess.run([f"{paths.CROSS_COMPILE}gcc", "--version"], check=True,
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
    parts = [compiler, render(options).encode(), str(sorted(IDENTITY.items())).encode(),
             source.ORIGIN.read_bytes(), graft.Record(paths.SOURCE).text,
             *(word.encode() for word in words_for_make(flavour))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def start_from_base(flavour):
    """A flavour is the base with a few options changed: only those files are rebuilt."""
    folder, base = build_dir(flavour), build_dir(BASE_FLAVOUR)
    if flavour == BASE_FLAVOUR or folder.exists() or not (base / "vmlinux").exists():
        return
    partial = folder.with_name(f"{flavour}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", base, partial], check=True)
    (partial / ".apf-stamp").unlink(missing_ok=True)
    partial.rename(folder)


def stamp_file(flavour):
    return build_dir(flavour) / ".apf-stamp"


def build(flavour):
    """Returns True if there was anything to do."""
    options = fragment(flavour)
    now = stamp(flavour, options)
    if image(flavour).exists() and graft.read(stamp_file(flavour)) == now.encode():
        return False
    total = kernels.FLAVOURS[flavour].lines if is_fresh(flavour) else None
    start_from_base(flavour)
    title = f"kernel {flavour}"
    with step(title):
        stamp_file(flavour).unlink(missing_ok=True)
        configure(flavour, options)
        targets = ["Image", *(["modules"] if options.get("CONFIG_MODULES") else [])]
        run_logged(make_command(flavour, *targets), paths.LOG / f"kernel-{flavour}.log",
                   Meter(title, total), env=make_environment())
    stamp_file(flavour).write_text(now)
    return True


def install_headers():
    """User space is built against these. Unchanged files keep their time."""
    staging = paths.CACHE / "headers.new"
    shutil.rmtree(staging, ignore_errors=True)
    run_logged(make_command(BASE_FLAVOUR, f"INSTALL_HDR_PATH={staging}", "headers_install"),
               paths.LOG / "headers.log", env=make_environment())
    paths.HEADERS.mkdir(parents=True, exist_ok=True)
    run_logged(["rsync", "-rc", "--delete", f"{staging}/include", f"{paths.HEADERS}/"],
               paths.LOG / "headers.log")
    shutil.rmtree(staging)


def is_due(flavour):
    """Whether build() would have anything to do, as far as can be told without doing it."""
    try:
        return (not image(flavour).exists() or bool(graft.check(paths.SOURCE))
                or graft.read(stamp_file(flavour)) != stamp(flavour, fragment(flavour)).encode())
    except (OSError, LabError):
        return True


def is_fresh(flavour):
    """Whether nothing of it has been built yet."""
    return not (build_dir(flavour) / "vmlinux").exists()


def source_stamp():
    """Hash of the grafted source."""
    return hashlib.sha256(source.ORIGIN.read_bytes() + graft.Record(paths.SOURCE).text).hexdigest()


def headers_due():
    return (not (paths.HEADERS / "include").exists() or not source.ORIGIN.exists()
            or graft.read(HEADERS_STAMP) != source_stamp().encode())


def ensure_headers():
    """No kernel needs to be built for them."""
    if headers_due():
        HEADERS_STAMP.unlink(missing_ok=True)
        install_headers()
        HEADERS_STAMP.write_text(source_stamp())


def build_all(flavours=FLAVOURS):
    unknown = [flavour for flavour in flavours if flavour not in kernels.FLAVOURS]
    if unknown:
        raise LabError(f"no such flavour: {', '.join(unknown)}; there are "
                       f"{', '.join(kernels.FLAVOURS)}")
    source.ensure()
    built = [flavour for flavour in flavours if build(flavour)]
    ensure_headers()
    if not built:
        say(f"kernels up to date: {', '.join(flavours)}")


def arguments(parser):
    parser.add_argument("flavour", nargs="*",
                        help=f"of {' '.join(kernels.FLAVOURS)} (default: {' '.join(FLAVOURS)})")
    parser.add_argument("--source-only", action="store_true", help="unpack and graft, do not build")


def command(args):
    """Unpack, graft, configure and build the kernels of the lab."""
    with cache_lock():
        if args.source_only:
            source.ensure()
        else:
            build_all(args.flavour or FLAVOURS)
    return 0
