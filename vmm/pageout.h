/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --pageout: a device by which the guest pages out ordinary memory of its own.
 * A 32-bit write to its one register takes a frame number, IPA / 4096. When the
 * write is over, the page of the host which holds that frame is missing: whoever
 * touches it waits as the policy 'ram' says, and finds what was in it. A read gives
 * the number of pages that are out. A frame that is no ordinary memory, or is out
 * already, is left alone.
 *
 * All ordinary memory is there when the guest starts, so nothing else is missing.
 */
#ifndef APFVM_PAGEOUT_H
#define APFVM_PAGEOUT_H

#include "evict.h"
#include "mmio.h"
#include "options.h"

/**
 * struct pageout - the device
 * @mmio:	where it is
 * @evict:	takes the pages
 */
struct pageout {
	struct mmio_device mmio;
	struct evict *evict;
};

/* Before the guest's device tree is written; does nothing without --pageout. */
int pageout_create(struct pageout *p, struct vm *vm, struct evict *evict,
		   const struct options *opt);

#endif /* APFVM_PAGEOUT_H */
