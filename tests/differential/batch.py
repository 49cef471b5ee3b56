# SPDX-License-Identifier: GPL-2.0-only
"""A batch: the programs that one guest runs, and other guests if it does not come to its end."""

from tests.differential import boots, results

# Boots of one batch: each is at least one program further.
AGAIN_MAX = 40


def run_batch(setting, batch, folder):
    """({name: Result}, [complaint]): boots again for what is behind a program that lost the guest."""
    found, complaints, left = {}, [], list(batch)
    for again in range(AGAIN_MAX):
        if not left:
            break
        place = folder.with_name(f"{folder.name}.{again}") if again else folder
        result = boots.run(setting, left, place)
        new, left, wrong = results.read(setting, left, result)
        found.update(new)
        lost = any(entry.verdict in ("lost", "left") for entry in new.values())
        if wrong and not lost:
            complaints += [f"{place}: {line}" for line in wrong]
        if not new:
            break
    complaints += [f"{folder}: {program.name} was not run" for program in left]
    return found, complaints
