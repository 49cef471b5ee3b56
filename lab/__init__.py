# SPDX-License-Identifier: GPL-2.0-only
"""The lab: graft and build the kernels, make the images, boot them in QEMU."""
