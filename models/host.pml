/* SPDX-License-Identifier: GPL-2.0-only */
/* The host: what it does in the vCPU's thread, and who says that a page has come. */

/* apf_reap_done() */
inline reap_done()
{
	n = 0;
	do
	:: n < TOKENS && (done & BIT(n)) ->
		busy = busy & ~BIT(n);
		gone = announced & BIT(n);
#ifdef M_CLAIMED_ONLY
		gone = (missing == n + 1 -> 0 : gone);
#endif
		page_of_ready[n] = (gone -> gfn[n] : page_of_ready[n]);
		gfn[n] = 0;
		owed = owed | gone;
		announced = announced & ~BIT(n);
		n++
	:: n < TOKENS && !(done & BIT(n)) -> n++
	:: else -> break
	od;
	done = 0
}

inline complete()
{
	d_step {
		reap_done();
		if
		:: owed ->
#ifdef M_READY_OVERWRITES
			ready = owed;
#else
			ready = ready | owed;
#endif
			posted = posted | owed;
			owed = 0;
			ppi = true
		:: else
		fi;
		n = 0; gone = 0
	}
}

/*
 * apf_work_attach(): the page of the spare work may have come before it has a token. Then
 * nobody says so any more.
 */
#ifdef POSTED
#ifdef M_NO_COME
#define HAS_COME	false
#else
#define HAS_COME	(spare == 3)
#endif
inline start()
{
	done = (HAS_COME -> done | BIT(n) : done);
	req = (HAS_COME -> true : req);
	work[n] = (spare == 3 -> 0 : spare);
	spare = 0;
	spare_page = 0
}
#else
#define start()	work[n] = 1
#endif

/* apf_tokens_find(), apf_tokens_alloc(), apf_work_start(): n, or TOKENS */
inline token_for(page)
{
	if
	:: (busy & 1) && gfn[0] == page -> n = 0
	:: (busy & 2) && gfn[1] == page -> n = 1
	:: else ->
#ifdef M_REUSE
		gone = 0;
#else
		gone = owed | posted;
#endif
		if
		:: !((busy | gone) & 1) -> n = 0
		:: ((busy | gone) & 1) && !((busy | gone) & 2) -> n = 1
		:: ((busy | gone) & 1) && ((busy | gone) & 2) && !(busy & 1) -> n = 0
		:: ((busy | gone) & 1) && ((busy | gone) & 2) && (busy & 1) && !(busy & 2) -> n = 1
		:: else -> n = TOKENS
		fi;
		if
		:: n < TOKENS ->
			busy = busy | BIT(n);
			gfn[n] = page;
			start()
		:: else
		fi;
		gone = 0
	fi
}

inline announce()
{
	assert(missing == 0);
	missing = n + 1;
	pc = PC(cur);
	page_of_missing = want[cur];
	announced = announced | BIT(n);
#ifdef EXACT
	entry = true;
#endif
	ppi = true
}

inline halt_for_page()
{
	halt = true;
#ifdef ANYTIME
	halt_token = n;
#endif
	req = true
}

inline synchronous()
{
	present[want[cur]] = true
}

/* apf_gather() and apf_decide(), in their order */
inline decide()
{
	stuck = (IRQ -> (stuck < MAX_STUCK -> stuck + 1 : MAX_STUCK) : 0);

	was_declined = false;
	if
	:: apf_on && USER(cur) ->
		posted = posted & ready;
		was_declined = (declined == n + 1);
		declined = (was_declined -> 0 : declined)
	:: else
	fi;

	if
#ifndef M_SPIN
	:: stuck >= MAX_STUCK -> synchronous()
	:: stuck < MAX_STUCK && !(apf_on && USER(cur)) -> halt_for_page()
	:: stuck < MAX_STUCK && apf_on && USER(cur) ->
#else
	:: !(apf_on && USER(cur)) -> halt_for_page()
	:: else ->
#endif
		if
		:: ppi && missing == n + 1	/* re-enter */
		:: !(ppi && missing == n + 1) && (missing || was_declined || !ppi_on
#ifndef M_REUSE
			|| ((owed | posted) & BIT(n))
#endif
			) -> halt_for_page()
		:: else -> announce()
		fi
	fi;
	was_declined = false
}

/*
 * The no-wait attempt has just failed. A page that comes between the exit and
 * the attempt is the run in which the guest touches it a little later.
 */
inline fault_handler()
{
	d_step {
		token_for(want[cur]);
		if
		:: n == TOKENS -> synchronous()
		:: else -> decide()
		fi;
		n = 0;
		where = REQUEST
	}
}

#define HAS_TOKEN(p)	((busy & 1) && gfn[0] == (p) || (busy & 2) && gfn[1] == (p))

/* With POSTED the attempt has asked for the page, and anything may happen before the rest. */
#ifdef POSTED
inline stage2_fault()
{
	if
	:: HAS_TOKEN(want[cur]) -> fault_handler()
	:: !HAS_TOKEN(want[cur]) ->
		d_step { spare = 1; spare_page = want[cur]; where = ATTEMPT }
	fi
}
#else
#define stage2_fault()	fault_handler()
#endif

inline forget()
{
	announced = 0;
	owed = 0;
	posted = 0
}

/*
 * apf_halt(): it looks at done, and so does kvm_arch_vcpu_runnable(). A poster takes
 * the bits of done away: then the halt has to look at its token, and the poster's
 * request ends it.
 */
#ifdef M_NOT_RUNNABLE
#define LEAVE_HALT	(IRQ)
#else
#ifdef ANYTIME
#define LEAVE_HALT	(IRQ || done || req)
#else
#define LEAVE_HALT	(IRQ || done)
#endif
#endif
#ifdef M_NO_LOOK
#define HALT_NOW	(halt)
#else
#if defined(ANYTIME) && !defined(M_NO_TOKEN_LOOK)
#define HALT_NOW	(halt && !done && (busy & BIT(halt_token)))
#else
#define HALT_NOW	(halt && !done)
#endif
#endif

active proctype host()
{
	byte n, gone;

	do
	/* The kick, some time after the request; other exits change nothing. */
	:: atomic { where == GUEST && req -> where = REQUEST }
#ifdef M_REVOKE
	:: atomic {
		where == GUEST && missing ->
		announced = announced & ~BIT(missing - 1);
		missing = 0
	   }
#endif
	:: atomic { where == REQUEST && !req -> where = GUEST }
	:: atomic {
		where == REQUEST && req ->
		req = false;
#ifdef M_READY_FIRST
		complete()
#endif
	   };
	   if
	   :: atomic { HALT_NOW -> halt = false; halt_token = 0; where = HALT };
		LEAVE_HALT
	   :: atomic { !HALT_NOW -> halt = false; halt_token = 0 }
	   fi;
	   atomic {
#ifndef M_READY_FIRST
		complete();
#endif
		where = REQUEST
	   }
	:: atomic { where == WFI && LEAVE_HALT -> where = REQUEST }
	:: atomic { off -> break }
	od
}

/* Who says that a page has come: a thread of the pool, or the userfaultfd. */
active [TOKENS] proctype page_comes()
{
	byte me = _pid - 1;

	do
	:: atomic { work[me] == 1 -> present[gfn[me]] = true; work[me] = 2 }
#ifdef M_REQUEST_FIRST
	:: atomic { work[me] == 2 -> req = true; work[me] = 3 };
	   atomic { work[me] = 0; done = done | BIT(me) }
#else
	:: atomic { work[me] == 2 -> work[me] = 0; done = done | BIT(me) };
	   req = true
#endif
#ifdef NEVER
	:: atomic { work[me] == 1 -> break }	/* the page never comes */
#endif
	:: atomic { off && !work[me] -> break }
	od
}

#ifdef POSTED
/* The userfaultfd, for a work that has no token yet. */
active proctype page_comes_early()
{
	do
	:: atomic { spare == 1 -> present[spare_page] = true; spare = 2 }
	:: atomic { spare == 2 -> spare = 3 }
	:: atomic { off -> break }
	od
}
#endif

#ifdef ANYTIME
/*
 * What the contract allows a host, and ours does not do yet: another thread writes
 * ready bits, at any moment, also between two steps of the guest. The tables of the
 * host (busy, announced, owed, posted) have a lock then; the block has none.
 */
active proctype poster()
{
	byte n, gone;
#ifdef M_PLAIN_POST
	byte r;
#endif

	do
	:: atomic {
		done ->
		posting = true;
		d_step { reap_done(); n = 0; gone = 0 }
	   };
	   if
#ifdef M_PLAIN_POST
	   :: atomic { owed -> r = ready | owed; posted = posted | owed; owed = 0 };
		atomic { ready = r; r = 0 };
#else
	   :: atomic { owed -> ready = ready | owed; posted = posted | owed; owed = 0 };
#endif
		ppi = true
	   :: atomic { !owed -> skip }
	   fi;
	   atomic { req = true; posting = false }
	:: atomic { off && !done && !work[0] && !work[1] -> break }
	od
}
#endif
