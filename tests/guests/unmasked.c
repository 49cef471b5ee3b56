// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cold pages with interrupts unmasked, in a guest to which none can come: it
 * leaves the GIC as it is. Only the page can end a halt.
 */
#include "guest.h"

void guest_main(void)
{
	unmask_interrupts();
	read_cold_pages();
}
