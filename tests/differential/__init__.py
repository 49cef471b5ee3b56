# SPDX-License-Identifier: GPL-2.0-only
"""Programs that others wrote, while the guest's memory goes missing."""
