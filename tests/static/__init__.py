# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the sources, and of what is built of them, that boot nothing."""
