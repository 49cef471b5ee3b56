/* SPDX-License-Identifier: GPL-2.0-only */
/* A virtio console of one port, output only. The n-th one is /dev/hvc(n-1). */
#ifndef APFVM_VIRTIO_CONSOLE_H
#define APFVM_VIRTIO_CONSOLE_H

#include "virtio_mmio.h"

/* @output gets what the guest writes, on the thread of the vCPU that writes it. */
struct virtio_console {
	struct virtio_mmio virtio;
	virtqueue_consume_fn output;
	void *opaque;
};

int virtio_console_create(struct virtio_console *con, struct vm *vm,
			  unsigned int slot, virtqueue_consume_fn output,
			  void *opaque);
void virtio_console_destroy(struct virtio_console *con);

#endif /* APFVM_VIRTIO_CONSOLE_H */
