# SPDX-License-Identifier: GPL-2.0-only
"""The tests that are written in Python, and what several of their packages share."""
