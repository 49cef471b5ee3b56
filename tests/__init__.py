# SPDX-License-Identifier: GPL-2.0-only
"""The tests, but for those of the kernel itself: selftests/."""
