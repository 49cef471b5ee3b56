# SPDX-License-Identifier: GPL-2.0-only
"""System tests: each boots a host in QEMU and runs a guest in it."""
