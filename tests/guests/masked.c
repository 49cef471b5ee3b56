// SPDX-License-Identifier: GPL-2.0-only
/* Cold pages with interrupts masked: a halt would return at once and spin. */
#include "guest.h"

void guest_main(void)
{
	read_cold_pages();
}
