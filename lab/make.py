# SPDX-License-Identifier: GPL-2.0-only
"""The environment of a make that is called by a program that make has called."""

import os

# What make hands down to the makes that it calls: its options, and its job slots.
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
# Variables of our Makefile that mean something else to the kernel's.
OURS = ("V", "T", "KERNEL", "O")


def environment(base=os.environ):
    """For our Makefile: as if it were called by a user."""
    return {name: value for name, value in base.items() if name not in OF_MAKE}


def kernel_environment(base=os.environ):
    """For a kernel's Makefile."""
    return {name: value for name, value in environment(base).items() if name not in OURS}
