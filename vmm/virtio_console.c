// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_ids.h>

#include "virtio_console.h"

#define QUEUE_TRANSMIT	1
#define QUEUES		2

/* Buffers of the receive queue stay there: a console without input. */
static void notify(struct virtio_mmio *virtio, unsigned int index)
{
	struct virtio_console *con = (struct virtio_console *)virtio;
	int ret;

	if (index != QUEUE_TRANSMIT)
		return;
	gate_hold(&virtio->vm->gate);
	ret = virtqueue_drain(&virtio->queue[index], &virtio->vm->memory,
			      con->output, con->opaque);
	gate_leave(&virtio->vm->gate);
	if (ret < 0)
		virtio_mmio_broken(virtio);
	else if (ret)
		virtio_mmio_interrupt(virtio);
}

int virtio_console_create(struct virtio_console *con, struct vm *vm,
			  unsigned int slot, virtqueue_consume_fn output,
			  void *opaque)
{
	con->output = output;
	con->opaque = opaque;
	con->virtio.queues = QUEUES;
	con->virtio.notify = notify;
	return virtio_mmio_create(&con->virtio, vm, slot, VIRTIO_ID_CONSOLE);
}

void virtio_console_destroy(struct virtio_console *con)
{
	virtio_mmio_destroy(&con->virtio);
}
