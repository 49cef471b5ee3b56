/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a page's work, for spin: a userfault that a no-wait attempt has posted,
 * the userfaultfd's two queues, and the thread that fetches a page in other memory.
 * README.md tells which function each part stands for; ./run checks it.
 *
 * One vCPU with one token, and two works: one is the token's, one is to spare. Page 0
 * has a userfaultfd; with THREADS, page 1 has none, and a thread of the pool fetches it.
 * What happens under a lock is several steps wherever somebody without the lock could
 * see a difference.
 *
 * Each of the macros M_... takes one rule away.
 */

#ifndef FAULTS
#define FAULTS	3		/* no-wait attempts */
#endif
#ifndef MISSES
#define MISSES	1		/* a page that has come goes again, so often */
#endif
#ifndef WAKES
#define WAKES	0		/* UFFDIO_WAKE without a page */
#endif

#define WORKS	2
#define PAGES	2

#ifdef THREADS
#define POSTS(p)	((p) == 0)
#else
#define POSTS(p)	true
#endif

/* An entry is on this queue. */
#define NONE	0
#define PENDING	1		/* fault_pending_wqh: not read yet */
#define READ	2		/* fault_wqh: read, not answered yet */

/* The userfaultfd, and the memory that has it. */
bool pending_lock, fault_lock;
bool refiling;			/* refile_seq is odd: an entry is on its way to READ */
bool released;			/* the last descriptor is closed */
bool cut;			/* no VMA has it any more */
bool in_fault;			/* the vCPU's attempt holds the lock of the VMA */
byte ctx_refs = 1;
bool present[PAGES];

/* struct apf_work. The gen is not in it: the attempt that the page is meant for. */
bool alive[WORKS];
byte refs[WORKS];
bool work_lock[WORKS];
bool vcpu[WORKS];
bool come[WORKS];
byte come_gen[WORKS];
byte page[WORKS];
byte gen[WORKS];
bool posted[WORKS];		/* uffd.uwq.ctx is set */
byte msg_page[WORKS], msg_gen[WORKS];
byte queue[WORKS];		/* uffd.uwq.wq.entry */
bool given[WORKS];		/* a thread has it */

/* The vCPU. A work is named by its number plus 1; 0: none. */
bool vcpu_alive = true, idle;
byte spare, busy, busy_gen;
bool done;

byte faults = FAULTS, misses = MISSES, wakes = WAKES;
bool serving, releasing = true, fetching;

/* The properties; an assertion's text names the one that fails. */
bool work_is_there, vcpu_is_there, context_is_there, told_once, told_of_its_page,
     nobody_waits_for_what_is_there, nothing_is_left;

#define CHECK_THAT(property, condition)	property = (condition);	\
					assert(property);	\
					property = false

#define LOCK(l)		atomic { !(l) -> l = true }
#define UNLOCK(l)	l = false

/* apf_work_tell() */
inline tell(w)
{
	d_step {
		CHECK_THAT(vcpu_is_there, vcpu_alive);
		CHECK_THAT(told_once, !done);
		CHECK_THAT(told_of_its_page, busy == w + 1 && come_gen[w] == busy_gen);
		done = true
	}
}

/* apf_work_done() */
inline work_done(w, g)
{
	LOCK(work_lock[w]);
	d_step {
		CHECK_THAT(work_is_there, alive[w]);
		come[w] = true;
		come_gen[w] = g
	};
	if
	:: vcpu[w] -> tell(w)
	:: !vcpu[w]
	fi;
	UNLOCK(work_lock[w])
}

inline put(w)
{
	d_step {
		CHECK_THAT(work_is_there, alive[w] && refs[w] > 0);
		refs[w]--;
		if
		:: refs[w] == 0 ->
			alive[w] = false;
			vcpu[w] = false; come[w] = false; come_gen[w] = 0;
			page[w] = 0; gen[w] = 0; msg_page[w] = 0; msg_gen[w] = 0
		:: else
		fi
	}
}

inline put_ctx()
{
	d_step {
		CHECK_THAT(context_is_there, ctx_refs > 0);
		ctx_refs--
	}
}

/* userfaultfd_async_wake(); the caller has found the entry on a queue whose lock it holds */
inline wake(w)
{
	d_step {
		CHECK_THAT(work_is_there, alive[w]);
		g = msg_gen[w];
		queue[w] = NONE
	};
	work_done(w, g);
	g = 0
}

#define MATCHES(w, q, p)	(queue[w] == (q) && (all || msg_page[w] == (p)))

/* __wake_userfault() */
inline wake_userfault(p)
{
	LOCK(pending_lock);
	if
	:: MATCHES(0, PENDING, p) -> wake(0)
	:: else
	fi;
	if
	:: MATCHES(1, PENDING, p) -> wake(1)
	:: else
	fi;
	LOCK(fault_lock);
	if
	:: MATCHES(0, READ, p) -> wake(0)
	:: else
	fi;
	if
	:: MATCHES(1, READ, p) -> wake(1)
	:: else
	fi;
	atomic { UNLOCK(fault_lock); UNLOCK(pending_lock) }
}

/* UFFDIO_COPY and others: page table, barrier, a look at the queues. Whenever it likes. */
active proctype server()
{
	byte g, p;
	bool all;

end:	do
	:: atomic { !cut && !present[0] -> serving = true; p = 0; present[0] = true };
	   goto look
#ifndef THREADS
	:: atomic { !cut && !present[1] -> serving = true; p = 1; present[1] = true };
	   goto look
#endif
	:: atomic { wakes && !released -> wakes--; serving = true; p = 0 };
look:	   if
	   :: atomic { !refiling && (queue[0] || queue[1]) }; wake_userfault(p)
	   :: atomic { !refiling && !queue[0] && !queue[1] }
	   fi;
	   atomic { serving = false; p = 0 }
	od
}

/* userfaultfd_ctx_read() */
active proctype reader()
{
	byte w;

end:	do
	:: atomic {
		!pending_lock && (queue[0] == PENDING || queue[1] == PENDING) ->
		pending_lock = true;
		refiling = true;
		if
		:: queue[0] == PENDING -> w = 0
		:: queue[1] == PENDING -> w = 1
		fi;
		queue[w] = NONE
	   };
	   LOCK(fault_lock);
	   atomic {
		CHECK_THAT(work_is_there, alive[w]);
		queue[w] = READ;
		UNLOCK(fault_lock);
		refiling = false;
		UNLOCK(pending_lock);
		w = 0
	   }
	od
}

/* userfaultfd_release(): the VMAs are cut off under the lock that a fault holds. */
active proctype releaser()
{
	byte g;
	bool all = true;

end:	atomic { true -> released = true };
	atomic { !in_fault -> cut = true };
	wake_userfault(0);
	put_ctx();
	releasing = false
}

/* Pages that have come go again. */
active proctype world()
{
end:	do
	:: atomic { misses && present[0] -> misses--; present[0] = false }
	:: atomic { misses && present[1] -> misses--; present[1] = false }
	od
}

#ifdef THREADS
/* apf_thread_run(): any thread of the pool */
active proctype thread()
{
	byte w, g;

end:	do
	:: atomic {
		given[0] || given[1] ->
		fetching = true;
		w = (given[0] -> 0 : 1);
		given[w] = false;
		CHECK_THAT(work_is_there, alive[w]);
		g = gen[w]
	   };
	   /* It waits for page 0 like any thread. */
	   atomic {
		!POSTS(page[w]) || present[0] || cut ->
		present[1] = (POSTS(page[w]) -> present[1] : true)
	   };
	   work_done(w, g);
#ifndef M_THREAD_NO_REF
	   put(w);
#endif
	   atomic { fetching = false; w = 0; g = 0 }
	od
}
#endif

/* userfaultfd_async_end() */
inline locked_end(w)
{
	d_step { CHECK_THAT(context_is_there, ctx_refs > 0) };
#ifndef M_END_NO_LOCK
	LOCK(pending_lock);
#endif
#ifndef M_END_ONE_LOCK
	LOCK(fault_lock);
#endif
	atomic {
		queue[w] = NONE;
#ifndef M_END_ONE_LOCK
		UNLOCK(fault_lock);
#endif
#ifndef M_END_NO_LOCK
		UNLOCK(pending_lock);
#endif
		posted[w] = false
	};
#ifndef M_NO_CTX_REF
	put_ctx()
#else
	skip
#endif
}

#ifdef M_END_LOOKS_FIRST
inline async_end(w)
{
	if
	:: atomic { queue[w] == NONE -> posted[w] = false }; put_ctx()
	:: queue[w] != NONE -> locked_end(w)
	fi
}
#else
#define async_end(w)	locked_end(w)
#endif

/* apf_uffd_end() */
inline uffd_end(w)
{
	if
	:: posted[w] -> async_end(w)
	:: else
	fi
}

inline renew(w)
{
	d_step { vcpu[w] = false; come[w] = false; come_gen[w] = 0 }
}

inline unprepare(w)
{
#ifdef M_RENEW_FIRST
	renew(w);
	uffd_end(w)
#else
#ifndef M_UNPREPARE_NO_END
	uffd_end(w);
#endif
#ifndef M_UNPREPARE_NO_RENEW
	renew(w)
#else
	skip
#endif
#endif
}

/* apf_work_free_spare() does the same; the rule is taken out for the next attempt alone. */
#ifdef M_UNPREPARE_NO_END
#define unprepare_last(w)	uffd_end(w)
#else
#define unprepare_last(w)	unprepare(w)
#endif

#ifdef M_ATTACH_NO_LOCK
#define LOCK_ATTACH(w)		skip
#define UNLOCK_ATTACH(w)	skip
#else
#define LOCK_ATTACH(w)		LOCK(work_lock[w])
#define UNLOCK_ATTACH(w)	UNLOCK(work_lock[w])
#endif

/* apf_work_attach() */
inline attach(w)
{
	LOCK_ATTACH(w);
	vcpu[w] = true;
#ifndef M_ATTACH_NO_COME
	if
	:: come[w] -> tell(w)
	:: !come[w]
	fi;
#endif
	UNLOCK_ATTACH(w)
}

/* apf_work_detach() */
inline detach(w)
{
#ifdef M_DETACH_NO_LOCK
	vcpu[w] = false
#else
	atomic { !work_lock[w] -> vcpu[w] = false }
#endif
}

/* The order in which apf_work_reap() and apf_work_orphan() give up a work. */
inline give_up(w)
{
#ifdef M_END_UNDER_LOCK
	LOCK(work_lock[w]);
	vcpu[w] = false;
	uffd_end(w);
	UNLOCK(work_lock[w])
#else
	detach(w);
#ifdef M_GIVE_UP_NO_END
	skip
#else
	uffd_end(w)
#endif
#endif
}

#ifdef M_REUSE_AT_ONCE
#define REUSABLE(w)	(!spare)
#else
#define REUSABLE(w)	(!spare && refs[w] == 1)
#endif

inline reap(w)
{
	give_up(w);
	atomic {
		busy = 0;
		busy_gen = 0;
		if
		:: REUSABLE(w) -> renew(w); spare = w + 1
		:: else -> put(w)
		fi
	}
}

#define FREE	(alive[0] -> 1 : 0)

/* apf_work_prepare(): the spare one, or a new one */
inline prepare(p)
{
	if
	:: spare -> w = spare - 1
	:: !spare ->
		w = FREE;
		alive[w] = true;
		refs[w] = 1;
		posted[w] = false;
		spare = w + 1
	fi;
	page[w] = p;
	now++;
	gen[w] = now
}

#ifdef M_NO_LOOK_AT_RELEASED
#define REFUSED		false
#else
#define REFUSED		released
#endif

#ifdef M_NO_CTX_REF
#define GET_CTX		skip
#else
#define GET_CTX		ctx_refs++
#endif

inline enqueue(w)
{
	atomic { !pending_lock -> queue[w] = PENDING }
}

/* userfaultfd_async_post(): by_now says whether the page came meanwhile */
inline post(w)
{
	atomic {
		GET_CTX;
		posted[w] = true;
		msg_page[w] = page[w];
		msg_gen[w] = gen[w]
	};
#ifdef M_LOOK_FIRST
	by_now = present[page[w]];
	enqueue(w);
#else
	enqueue(w);
	by_now = present[page[w]];
#endif
	if
	:: by_now -> async_end(w)
	:: else
	fi
}

/* The no-wait attempt. It ends with a page, or with one that has to be waited for. */
inline attempt(w)
{
	atomic {
		in_fault = true;
		had = (present[page[w]] || (cut && POSTS(page[w])))
	};
	if
	:: !had && POSTS(page[w]) && !posted[w] && !REFUSED ->
#ifdef M_POST_UNLOCKED
		in_fault = false;
#endif
		post(w)
	:: else
	fi;
	in_fault = false
}

/* A thread fetches what is not posted: also page 0, if it came just when it was posted. */
#ifdef THREADS
#define BY_THREAD(w)	(!posted[w] && (!POSTS(page[w]) || by_now))
#else
#define BY_THREAD(w)	false
#endif

#ifdef M_START_NO_RENEW
#define renew_for_thread(w)	skip
#else
#define renew_for_thread(w)	come[w] = false; come_gen[w] = 0
#endif

/*
 * The work becomes that of the token, or it is not needed: the page is there, there is
 * no token, no thread, or the vCPU waits for some other reason.
 */
inline start_or_not(w)
{
	if
	:: true -> unprepare(w)
	:: !had && !busy && (posted[w] || BY_THREAD(w)) ->
		atomic {
			spare = 0;
			busy = w + 1;
			busy_gen = gen[w];
			if
			:: posted[w]
			:: !posted[w] ->
				renew_for_thread(w);
				given[w] = true;
#ifndef M_THREAD_NO_REF
				refs[w]++
#endif
			fi
		};
		attach(w)
	fi;
	had = false;
	by_now = false;
	w = 0
}

/* It has no token; and there is memory for a work, else the vCPU waits. */
#define MAY_TRY(p)	(faults && (!busy || page[busy - 1] != (p)) && \
			 (spare || !alive[0] || !alive[1]))

active proctype vcpu_thread()
{
	byte w, now;
	bool had, by_now;

	do
	:: atomic { MAY_TRY(0) -> faults--; idle = false; prepare(0) };
	   attempt(w);
	   start_or_not(w);
	   idle = true
	:: atomic { MAY_TRY(1) -> faults--; idle = false; prepare(1) };
	   attempt(w);
	   start_or_not(w);
	   idle = true
	:: atomic {
		done ->
		CHECK_THAT(told_once, busy > 0);
		done = false;
		idle = false;
		w = busy - 1
	   };
	   reap(w);
	   atomic { idle = true; w = 0 }
	/* kvm_apf_vcpu_destroy(), at any time: apf_work_orphan(), apf_work_free_spare() */
	:: atomic { idle = false; break }
	od;
	if
	:: busy ->
		w = busy - 1;
		give_up(w);
		atomic { busy = 0; put(w) }
	:: else
	fi;
	if
	:: spare ->
		w = spare - 1;
		unprepare_last(w);
		atomic { spare = 0; put(w) }
	:: else
	fi;
	vcpu_alive = false
}

#define AT_REST		(!serving && !fetching && !given[0] && !given[1])
#define IS_THERE(p)	(present[p] || (!releasing && POSTS(p)))

/* Nobody is about to do anything: is it as it should be? */
active proctype quiet()
{
end:	atomic {
		AT_REST && !(releasing && cut) && idle && busy && !done &&
		IS_THERE(page[busy - 1]) ->
		CHECK_THAT(nobody_waits_for_what_is_there, false)
	}
}

active proctype leftover()
{
end:	atomic {
		AT_REST && !vcpu_alive && !releasing ->
		CHECK_THAT(nothing_is_left, !alive[0] && !alive[1] && !ctx_refs)
	}
}
