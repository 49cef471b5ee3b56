/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshake between host and guest, for spin. README.md tells which function
 * each part stands for, what is left out, and what came of it; ./run checks it.
 *
 * One vCPU. While it is in the guest (where == GUEST) process guest makes its
 * steps; anything else that where says is the vCPU's host thread. So this thread
 * and the guest never use the block concurrently, but any two steps of the guest
 * may have an exit between them. Pages come, and the world goes on, at any time. With
 * POSTED a page may come before the vCPU's thread has given it a token. With ANYTIME a
 * thread of the host writes ready bits at any time, too.
 *
 * The PPI is only pended: the guest may go on before it takes it. That the host
 * enters the interrupt itself (EXACT) is one of the runs of this.
 *
 * Every count below is finite and no step repeats by itself, so each run ends:
 * `quiet` looks at what is left then, and a search for cycles (pan -l, no progress
 * labels) proves that there is no other way to get nowhere.
 *
 * Each of the macros M_... takes one rule away.
 */

#include "state.pml"
#include "host.pml"
#include "guest.pml"

/* What happens to them. */
inline kill(t)
{
	kills--;
	killed[t] = true;
	killable[t] = false;
	pos[t] = (pos[t] == ASLEEP -> TASK_WORK : pos[t]);
	tick = true			/* the IPI, if from another CPU */
}

active proctype world()
{
end:	do
	:: atomic { ticks && !tick -> ticks--; tick = true }
	:: atomic { misses && present[0] -> misses--; present[0] = false }
	:: atomic { misses && present[1] -> misses--; present[1] = false }
	:: atomic { kills && pos[0] != DEAD -> kill(0) }
#if TASKS > 1
	:: atomic { kills && pos[1] != DEAD -> kill(1) }
#endif
	:: atomic { offs -> offs--; thread_pos = 1; tick = true }
#ifdef CYCLES
	:: break			/* fairness must not make it do the rest */
#endif
	od
}

/* The vCPU stands still, and only the world could change that: is it the end? */
active proctype quiet()
{
end:	atomic {
		(where == HALT || where == WFI) && !LEAVE_HALT && !work[0] && !work[1] && !posting ->
		CHECK_THAT(halt_ends, where != HALT);
		CHECK_THAT(nobody_sleeps_for_good, off)
	}
}
