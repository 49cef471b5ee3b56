// SPDX-License-Identifier: GPL-2.0-only
#include "result.h"
#include "state.h"

void result_save(const struct result *r, struct state *state)
{
	state_put_name(state, "resu");
	state_put(state, &r->passing, sizeof(r->passing));
	state_put(state, &r->size, sizeof(r->size));
	state_put(state, r->line, sizeof(r->line));
}

void result_restore(struct result *r, struct state *state)
{
	state_get_name(state, "resu");
	state_get(state, &r->passing, sizeof(r->passing));
	state_get(state, &r->size, sizeof(r->size));
	state_get(state, r->line, sizeof(r->line));
	if (r->size >= sizeof(r->line))
		r->size = 0;
}
