# SPDX-License-Identifier: GPL-2.0-only
"""The Markdown files: links and paths lead somewhere, and each sentence has a line of its own."""

import re

from lab.harness import test
from lab.paths import REPO

FOLDERS_WITHOUT = {".git", "out"}
# Written by a program.
GENERATED = ("docs/report/summary.md",)

LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`[^`]*`")
PATH = re.compile(r"`([\w.-]+/[\w./*-]*)`")
SENTENCE_END = re.compile(r"[.!?][)*\"]*\s+[*\"(`\[]*[A-Z]")
# A full stop behind these ends no sentence, nor does the one of a list's number.
NO_END = re.compile(r"\b(?:e\.g|i\.e|cf|vs|etc)\.|^\s*\d+\.")


def documents():
    return sorted(path for path in REPO.rglob("*.md")
                  if not FOLDERS_WITHOUT & set(path.relative_to(REPO).parts))


def lines(path):
    """(number, line) of what is prose, a heading or a table: not of code."""
    fenced = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, line


def anchors(path):
    """As GitHub makes them of headings."""
    found = []
    for _, line in lines(path):
        heading = re.match(r"#+ +(.*)", line)
        if heading:
            slug = re.sub(r"[^\w\- ]", "", heading[1].lower()).strip().replace(" ", "-")
            found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def dead_end(path, target):
    """What is wrong with a link in that document, or None."""
    if re.match(r"[a-z]+:", target):
        return None
    name, _, anchor = target.partition("#")
    place = (path.parent / name).resolve() if name else path
    if not place.exists():
        return f"there is no {name}"
    if anchor and place.suffix == ".md" and anchor not in anchors(place):
        return f"no heading of {place.relative_to(REPO)} gives #{anchor}"
    return None


@test("docs: every relative link and anchor leads somewhere")
def links_lead_somewhere():
    wrong, count = [], 0
    for path in documents():
        for number, line in lines(path):
            for match in LINK.finditer(CODE.sub("", line)):
                count += 1
                why = dead_end(path, match[1] or match[2])
                if why:
                    wrong.append(f"{path.relative_to(REPO)}:{number}: {why}")
    assert count > 50, f"only {count} links found"
    assert not wrong, "\n".join(wrong)


@test("docs: every file of the repository that is named is there")
def named_files_are_there():
    """`host/apf.c`, say; also a pattern, such as `docs/*.md`."""
    folders = {path.name for path in REPO.iterdir() if path.is_dir()} - FOLDERS_WITHOUT
    wrong = []
    for path in documents():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            wrong += [f"{path.relative_to(REPO)}:{number}: there is no {name}"
                      for name in PATH.findall(line)
                      if name.split("/")[0] in folders and not any(REPO.glob(name.rstrip("/")))]
    assert not wrong, "\n".join(wrong)


@test("docs: one sentence per line")
def one_sentence_per_line():
    """Outside of tables, whose rows are lines by themselves."""
    wrong = []
    for path in documents():
        if str(path.relative_to(REPO)) in GENERATED:
            continue
        for number, line in lines(path):
            text = NO_END.sub("", CODE.sub("x", line))
            if not line.startswith("|") and SENTENCE_END.search(text):
                wrong.append(f"{path.relative_to(REPO)}:{number}: {line[:60]}...")
    assert not wrong, "more than one sentence in a line:\n" + "\n".join(wrong)
