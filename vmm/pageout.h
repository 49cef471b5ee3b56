/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --pageout: a device by which the guest pages out ordinary memory of its own.
 * A 32-bit write to its one register takes a frame number, IPA / 4096. When the
 * write is over, the page of the host which holds that frame is missing: whoever
 * touches it waits as the policy 'ram' says, and finds what was in it. A read gives
 * the number of pages that are out. A frame that is no ordinary memory, or is out
 * already, is left alone. The page must hold nothing that this VMM uses itself: no
 * queue of a device and no buffer.
 *
 * All ordinary memory is there when the guest starts, so nothing else is missing.
 */
#ifndef APFVM_PAGEOUT_H
#define APFVM_PAGEOUT_H

#include <pthread.h>

#include "kept.h"
#include "mmio.h"
#include "options.h"
#include "vm.h"

/**
 * struct pageout - the device
 * @mmio:	where it is
 * @vm:		whose memory it pages out
 * @kept:	the pages that are out
 * @turn:	whoever has closed @vm's gate; taken before that
 */
struct pageout {
	struct mmio_device mmio;
	struct vm *vm;
	struct kept kept;
	pthread_mutex_t turn;
};

/* Does nothing without --pageout. */
int pageout_create(struct pageout *p, struct vm *vm, const struct options *opt);
void pageout_destroy(struct pageout *p);

/* What the server of missing pages has to know, or NULL. */
static inline struct kept *pageout_kept(struct pageout *p)
{
	return p->vm ? &p->kept : NULL;
}

#endif /* APFVM_PAGEOUT_H */
