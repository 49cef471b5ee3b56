/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest: its interrupt handler, its tasks, and who disables APF. */

inline reschedule()
{
	resched = false;
	if
	:: RUNNABLE(0) -> cur = 0
#if TASKS > 1
	:: RUNNABLE(1) -> cur = 1
#endif
#if TASKS > 2
	:: RUNNABLE(2) -> cur = 2
#endif
	:: thread_pos -> cur = THREAD
	:: else -> cur = IDLE
	fi
}

inline wake(t)
{
	CHECK_THAT(waiter_is_alive, pos[t] != DEAD);
	waits[t] = 0;
	waits_for[t] = 0;
	late[t] = false;
	killable[t] = false;
	pos[t] = (pos[t] == ASLEEP -> TASK_WORK : pos[t]);
	resched = true
}

inline die()
{
	pos[cur] = DEAD;
	want[cur] = 0;
	accesses[cur] = 0;
	killed[cur] = false;
	killable[cur] = false;
#ifndef M_NO_LEAVE
	waits[cur] = 0;
	waits_for[cur] = 0;
	late[cur] = false;
#endif
	reschedule()
}

/* apf_add_sleeper(), or no entry is left */
inline add_sleeper()
{
	if
	:: CHECK_THAT(sleeper_may_sleep, USER(cur) && PC(cur) == pc_read);
		waits[cur] = m;
		waits_for[cur] = page;
		pos[cur] = TASK_WORK
	:: declined = m
	fi
}

#ifdef M_ANY_CONTEXT
#define MINE	(cur < TASKS)
#else
#define MINE	(USER(cur) && PC(cur) == pc_read)
#endif

#ifdef EXACT
#define SPURIOUS	assert(false)
#else
#define SPURIOUS	skip
#endif

inline decide_missing()
{
	if
	:: MINE -> add_sleeper()
	:: else ->
		SPURIOUS
	fi
}

/* What else the block says means nothing now: fewer states. */
inline claim()
{
	missing = 0;
	pc = 0;
	page_of_missing = 0
}

inline take_missing()
{
	atomic {
		where == GUEST ->
		m = missing;
		pc_read = pc;
		page = page_of_missing
	};
	if
	:: m ->
#ifdef M_REGISTER_FIRST
		atomic { where == GUEST -> decide_missing() };
		atomic { where == GUEST -> claim() }
#else
#ifdef M_PLAIN_CLAIM
		atomic { where == GUEST -> claim() };
#else
		atomic {
			where == GUEST ->
			if
			:: missing == m -> claim()
			:: else -> m = 0
			fi
		};
#endif
		if
		:: atomic { where == GUEST && m -> decide_missing() }
		:: m == 0
		fi
#endif
	:: else
	fi
}

/*
 * BATCH: the handler wakes one task, and a softirq, any time later, the others. The
 * token may be told again meanwhile.
 */
#ifdef BATCH
inline wake_or_leave(t)
{
	if
	:: woken ->
		late[t] = true;
#ifndef M_LEFT_IN_SLOT
		waits[t] = 0;
		waits_for[t] = 0
#endif
	:: else ->
		woken = true;
		wake(t)
	fi
}
#else
#define wake_or_leave(t)	wake(t)
#endif

#ifdef M_NO_SOFTIRQ
#define SOFTIRQ(t)	false
#else
#define SOFTIRQ(t)	(late[t])
#endif
#if TASKS > 2
#define ALL_WOKEN	(!SOFTIRQ(0) && !SOFTIRQ(1) && !SOFTIRQ(2))
#elif TASKS > 1
#define ALL_WOKEN	(!SOFTIRQ(0) && !SOFTIRQ(1))
#else
#define ALL_WOKEN	(!SOFTIRQ(0))
#endif

inline take_ready()
{
#ifdef M_PLAIN_TAKE
	atomic { where == GUEST -> r = ready };
	atomic { where == GUEST -> ready = 0 };
#else
	atomic { where == GUEST -> r = ready; ready = 0 };
#endif
	atomic {
		where == GUEST ->
		t = 0;
		do
		:: t < TASKS && waits[t] && (r & BIT(waits[t] - 1)) ->
			CHECK_THAT(token_has_one_meaning,
			      waits_for[t] == page_of_ready[waits[t] - 1]);
			wake_or_leave(t);
			t++
		:: t < TASKS && !(waits[t] && (r & BIT(waits[t] - 1))) -> t++
		:: else -> break
		od;
		t = 0;
		woken = false
	}
}

inline wake_all()
{
	t = 0;
	do
	:: t < TASKS && WAITS(t) -> wake(t); t++
	:: t < TASKS && !WAITS(t) -> t++
	:: else -> break
	od;
	t = 0
}

inline disable()
{
	apf_on = false;
	forget()
}

inline enable()
{
	ready = 0;
	missing = 0;
	declined = 0;
	forget();
	apf_on = true
}

#ifdef M_WAKE_FIRST
#define OFFLINE_1	wake_all()
#define OFFLINE_2	disable()
#define OFFLINE_3	ppi_on = false
#else
#ifdef M_IRQ_LAST
#define OFFLINE_1	disable()
#define OFFLINE_2	wake_all()
#define OFFLINE_3	ppi_on = false
#else
#define OFFLINE_1	disable()
#define OFFLINE_2	ppi_on = false
#define OFFLINE_3	wake_all()
#endif
#endif

#ifdef IRQ_ON_FIRST
#define ONLINE_1	ppi_on = true
#define ONLINE_2	enable()
#else
#define ONLINE_1	enable()
#define ONLINE_2	ppi_on = true
#endif

#define STEP(t_pos)	(where == GUEST && cur < TASKS && pos[cur] == (t_pos))
#define THREAD_STEP(k)	(where == GUEST && cur == THREAD && thread_pos == (k))

active proctype guest()
{
	byte n, gone, m, pc_read, page, r, t;
	bool was_declined, woken;

	atomic { where == GUEST -> reschedule() };
	do
	/* Interrupts. Another one, or a wake-up, may end in another task. */
	:: atomic { where == GUEST && ppi && ppi_on -> ppi = false; entry = false; stuck = 0 };
#ifdef M_TAKE_READY_FIRST
	   take_ready();
	   take_missing();
#else
	   take_missing();
	   take_ready();
#endif
	   atomic {
		where == GUEST ->
		m = 0; pc_read = 0; page = 0; r = 0;
		if
		:: resched -> reschedule()
		:: else
		fi
	   }
	:: atomic { where == GUEST && tick && !entry -> tick = false; stuck = 0; reschedule() }

	/* apf_wake_more() */
	:: atomic { where == GUEST && SOFTIRQ(0) -> wake(0); reschedule() }
#if TASKS > 1
	:: atomic { where == GUEST && SOFTIRQ(1) -> wake(1); reschedule() }
#endif
#if TASKS > 2
	:: atomic { where == GUEST && SOFTIRQ(2) -> wake(2); reschedule() }
#endif

	/* A task, at its own level. */
	:: atomic {
		STEP(ELSEWHERE) ->
		want[cur] = PAGE(cur, accesses[cur]);
		pos[cur] = TOUCH
	   }
	:: atomic {
		STEP(TOUCH) && !entry ->
		if
		:: !present[want[cur]] -> stage2_fault()
		:: present[want[cur]] && accesses[cur] + 1 < ACCESSES ->
			accesses[cur]++;
			want[cur] = 0;
			pos[cur] = ELSEWHERE
		:: present[want[cur]] && accesses[cur] + 1 == ACCESSES -> die()
		fi
	   }
#ifdef POSTED
	:: atomic { where == ATTEMPT -> fault_handler() }
#endif
	:: atomic { (STEP(ELSEWHERE) || STEP(TOUCH)) && !entry && killed[cur] -> die() }

	/* apf_sleep() */
	:: atomic {
		STEP(TASK_WORK) ->
		if
		:: WAITS(cur) && !killed[cur] ->
			killable[cur] = true;
			pos[cur] = SCHEDULE
		:: !WAITS(cur) && !killed[cur] -> pos[cur] = TOUCH
		:: killed[cur] -> die()
		fi
	   }
	:: atomic {
		STEP(SCHEDULE) ->
		if
		:: killable[cur] -> pos[cur] = ASLEEP; reschedule()
		:: !killable[cur] -> pos[cur] = TASK_WORK
		fi
	   }

	/* The thread that disables; it can be preempted anywhere. */
	:: atomic { THREAD_STEP(1) -> OFFLINE_1; thread_pos = 2 }
	:: atomic { THREAD_STEP(2) -> OFFLINE_2; thread_pos = 3 }
	:: atomic { THREAD_STEP(3) -> OFFLINE_3; thread_pos = 4 }
	:: atomic { THREAD_STEP(4) -> thread_pos = 0; reschedule() }
	:: atomic { THREAD_STEP(4) -> ONLINE_1; thread_pos = 5 }
	:: atomic { THREAD_STEP(5) -> ONLINE_2; thread_pos = 0; reschedule() }

	:: atomic {
		where == GUEST && cur == IDLE && !IRQ && ALL_WOKEN ->
		d_step {
			t = 0;
			do
			:: t < TASKS && pos[t] == DEAD -> t++
			:: else -> break
			od;
			off = (t == TASKS && !thread_pos);
			where = (off -> GUEST : WFI);
			t = 0
		};
		if
		:: off -> break
		:: else
		fi
	   }
	od
}
