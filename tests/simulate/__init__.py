# SPDX-License-Identifier: GPL-2.0-only
"""Runs that a seed decides, in virtual time."""
