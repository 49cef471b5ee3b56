/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * apf_test: asynchronous page faults, <asm/kvm_apf.h>, played by a guest without
 * an operating system. What its parts share:
 *
 *   apf_test.c		the table of cases, each in a process of its own
 *   apf_cases.c	guests: what is announced, and how it becomes ready
 *   apf_state.c	guests: ENABLE, and whatever else may come to the block
 *   apf_memory.c	guests: the memory that the block is in
 *   apf_life.c		guests: a vCPU that is stopped or suspended, memory that is another
 *   apf_dirty.c	guests: which pages are logged as dirty
 *   apf_faults.c	guests: other faults than for want of a page, and too many of these
 *   apf_uffd.c		guests: userfaults that were posted, and what goes away meanwhile
 *   apf_end.c		guests: the VM, when userfaults are posted
 *   apf_many.c		guests: several vCPUs, which take turns
 *   apf_gic.c		guests: announcements among other interrupts
 *   apf_entry.c	guests: an announcement is an interrupt, bit by bit
 *   apf_vectors.c	what a handler finds
 *   apf_guest.c	what these do again and again: EL0, the PPI, the block
 *   apf_hostile.c	a guest that keeps to no rule
 *   apf_vm.c		the VM, its exits, its counters
 *   apf_look.c		what the kernel tells of this process
 *   apf_pages.c	who holds the pages of cold memory, and lets them go
 */
#ifndef SELFTEST_KVM_APF_TEST_H
#define SELFTEST_KVM_APF_TEST_H

#include <linux/sizes.h>
#include <pthread.h>

#include <asm/kvm_apf.h>

#include "kvm_util.h"
#include "processor.h"

/* Between two looks at what somebody else does. */
#define POLL_US			100

/* In the KVM that is tested; a guest asks by FEATURES. */
#define APF_INTID		16
#define APF_VCPUS		8

/* All of these at the same address for EL1, EL0 and in IPA space. */
#define READ_ONLY_BASE		0xa0000000UL
#define BLOCK_BASE		0xb0000000UL
#define COLD_BASE		0xc0000000UL
#define NO_MEMORY		0xe0000000UL

/* One cold page each, whatever the page size of host and guest. */
#define COLD_STRIDE		SZ_64K
#define COLD_PAGES		256
#define COLD_SIZE		(COLD_PAGES * (size_t)COLD_STRIDE)
#define COLD_ADDR(page)		(COLD_BASE + (u64)(page) * COLD_STRIDE)
/* The same page, for EL1 only. */
#define COLD_EL1_ADDR(page)	(COLD_ADDR(page) + 0x10000000UL)
#define COLD_WORD(page)		(0xc01d000000000000UL + (page))

#define BLOCK_ADDR(n)		(BLOCK_BASE + (n) * KVM_APF_BLOCK_SIZE)
#define BLOCK(n)		((struct kvm_apf_block *)BLOCK_ADDR(n))

/* KVM's counters of a vCPU, those of struct apf_counts first. */
enum apf_stat {
	APF_ANNOUNCED,
	APF_REPEATED,
	APF_DECLINED,
	APF_HALTED,
	APF_SYNC,
	APF_SYNC_MASKED,	/* the sum of these is APF_SYNC */
	APF_SYNC_TOKEN,
	APF_SYNC_THREAD,
	APF_SYNC_BLOCK,
	APF_SYNC_STUCK,
	APF_SYNC_FAILED,
	APF_READY,
	APF_BATCHES,
	APF_COUNTS,
	WFI_EXITS = APF_COUNTS,
	STAGE2_ABORTS,
	APF_STATS,
};

/* What the guest asks of the test, by GUEST_SYNC4(): it goes on after that. */
enum apf_command {
	CMD_RELEASE,		/* page: once it is asked for; KVM knows that it came */
	CMD_RELEASE_ALL,	/* count: all, once so many are asked for */
	CMD_SERVE,		/* page: as soon as it is asked for */
	CMD_SERVE_AT,		/* page, enum apf_stat: when that counts one more */
	CMD_FORGET,		/* all pages are cold again */
	CMD_HOST,		/* number: by the case's function host() */
};

struct apf_vm;

struct apf_case {
	const char	*name;
	void		(*guest)(void);
	void		(*host)(struct apf_vm *v, u64 number);
	/* Instead of the guest's alone, with the faults to make. */
	void		(*run)(const struct apf_case *c, u64 faults);
	void		(*on_irq)(struct ex_regs *regs);
	/* At KVM_EXIT_DIRTY_RING_FULL. The VM has a dirty ring, as small as can be. */
	void		(*ring_full)(struct apf_vm *v);
	u32		cold_flags;		/* KVM_MEM_* */
	u64		uffd_mode;		/* UFFDIO_REGISTER_MODE_*; 0: missing */
	u64		uffd_features;		/* UFFD_FEATURE_* */
	bool		unread;			/* the case alone reads the userfaultfd */
	enum vm_mem_backing_src_type cold_source;	/* of cold memory */
	unsigned int	vcpus;			/* 0: one */
	bool		beyond_file;		/* cold memory is a file of 0 bytes */
	bool		block_is_huge;		/* it is in a huge page, if one is to be had */
	bool		needs_el0_32;		/* AArch32 in EL0 */
	int		run_errno;		/* ends it */
	int		mmio_writes;
	u64		expect[APF_COUNTS];
	bool		differs;		/* if threads wait for userfaults, */
	u64		with_threads[APF_COUNTS];	/* that is expected */
};

/* Threads of KVM wait for userfaults: without CONFIG_KVM_ARM_APF_UFFD, or by its knob. */
extern bool uffd_threads;

/* apf_pages.c */
enum page_policy {
	PAGE_HOLD,
	PAGE_SERVE,
	PAGE_SERVE_AT,
};

/* What ends the wait of who has asked for a page. */
enum page_answer {
	ANSWER_COPY,
	ANSWER_CONTINUE,	/* it is in the page cache */
	ANSWER_UNPROTECT,
	ANSWER_WAKE,		/* all is done but that */
};

struct cold_page {
	enum page_policy	policy;
	enum page_answer	answer;
	bool			asked;
	enum apf_stat		stat;
	u64			above;
};

/* UFFD_EVENT_* are less. */
#define UFFD_EVENTS	0x20

struct apf_pages {
	struct apf_vm		*v;
	char			*memory;	/* also where it was moved to */
	char			*alias;		/* the same, if it is shared, and never cold */
	char			*copy;
	size_t			page_size;
	int			uffd;
	int			poke;
	bool			stop;
	pthread_t		server;
	pthread_mutex_t		lock;	/* of all below */
	pthread_cond_t		changed;
	unsigned int		asked;
	unsigned int		events[UFFD_EVENTS];
	int			forked_uffd;	/* of the last child */
	u64			served;
	struct cold_page	page[COLD_PAGES];
};

void pages_create(struct apf_pages *p, struct apf_vm *v, void *memory, void *alias);
void pages_destroy(struct apf_pages *p);
void pages_release(struct apf_pages *p, unsigned int page);
void pages_release_all(struct apf_pages *p, unsigned int count);
void pages_policy(struct apf_pages *p, unsigned int page, enum page_policy policy,
		  enum apf_stat stat);
void pages_forget(struct apf_pages *p);
void pages_protect(struct apf_pages *p, unsigned int page);
void pages_unprotect(struct apf_pages *p, unsigned int page);
void pages_poison(struct apf_pages *p, unsigned int page);
void pages_forget_one(struct apf_pages *p, unsigned int page);
u64 pages_served(struct apf_pages *p);
void pages_settle(struct apf_pages *p);
void wait_for_threads(void);
/* For cases that read the userfaultfd themselves, message by message. */
void pages_take(struct apf_pages *p, unsigned int messages);
/* Whether it was asked for or not. */
void pages_give(struct apf_pages *p, unsigned int page);
void pages_wake(struct apf_pages *p, unsigned int page);
void pages_wait_asked(struct apf_pages *p, unsigned int count);
void pages_wait_event(struct apf_pages *p, unsigned int event);
void pages_close(struct apf_pages *p);

/* apf_look.c */

/* Userfaults that are not answered: those not read yet, and all. */
struct uffd_queue {
	unsigned int	unread;
	unsigned int	all;
};

struct uffd_queue uffd_queue(int uffd);
unsigned int count_threads(const char *states);

/* apf_end.c */
#define POSTED		4

void check_posted(struct apf_pages *p, unsigned int unread, unsigned int all);
void make_child(struct apf_pages *p);
void end_child(void);
/* In the guest. */
void post(unsigned int pages);

/* apf_vm.c */
enum apf_slot {
	BLOCK_SLOT = 1,
	READ_ONLY_SLOT,
	COLD_SLOT,
};

struct apf_vm {
	const struct apf_case	*c;
	struct kvm_vm		*vm;
	struct kvm_vcpu		*vcpu;	/* whose turn it is */
	struct kvm_vcpu		*vcpus[APF_VCPUS];
	int			gic_fd;
	int			stats_fd;
	off_t			stats[APF_STATS];
	int			mmio_writes;
	struct apf_pages	pages;
};

extern const char * const apf_stat_names[APF_STATS];

void apf_vm_set_memory(struct apf_vm *v, enum apf_slot slot, bool there);
void apf_vm_create(struct apf_vm *v, const struct apf_case *c);
void apf_vm_start_at(struct apf_vm *v, void (*guest)(void));
void apf_vm_run(struct apf_vm *v);
/* From now on, all is about that vCPU. */
void apf_vm_select(struct apf_vm *v, unsigned int vcpu);
void apf_vm_destroy(struct apf_vm *v);
/* As it is closed, with nothing unmapped but what the kernel maps. */
void apf_vm_close_vcpus(struct apf_vm *v);
void apf_vm_close(struct apf_vm *v);
/* For CMD_HOST. */
void host_wait_for_threads(struct apf_vm *v, u64 number);
u64 apf_vm_stat(struct apf_vm *v, enum apf_stat stat);
void apf_vm_check_counts(struct apf_vm *v);

/* apf_guest.c; all below runs in the guest. */
enum verdict {
	VERDICT_SLEEP,		/* claim, and leave EL0 */
	VERDICT_DECLINE,	/* claim, say so, and go back */
	VERDICT_IGNORE,		/* go back */
	VERDICT_WAIT,		/* claim, and go back when it is ready */
};

/**
 * struct apf_guest - what the guest knows
 * @verdict:	about the next announcements
 * @ignored:	token of the announcement that is not claimed
 * @kernel:	EL1 wants to be told too
 * @leave_ready: do not take ready bits
 * @page:	the page that EL0 is touching
 * @waiting:	tokens announced, and not ready yet
 * @page_of:	their pages
 * @token:	of the last announcement
 * @announced:	announcements seen
 * @taken:	ready bits taken, and not asked for by wait_ready() yet
 * @value:	what EL0 has loaded
 */
struct apf_guest {
	enum verdict	verdict;
	unsigned int	ignored;
	bool		kernel;
	bool		leave_ready;
	unsigned int	page;
	u64		waiting;
	unsigned int	page_of[KVM_APF_TOKENS];
	unsigned int	token;
	u64		announced;
	u64		taken;
	u64		value;
};

extern struct apf_guest guest;
extern struct kvm_apf_block *block;

/* Entry points for EL0: x0 is the address, x1 the word to store. */
extern const char el0_load[], el0_load_too[], el0_store[];

/* The way there and back, in assembly. */
u64 el0_enter(u64 addr, u64 value, const char *entry, u64 pstate);
extern const char el0_exit[];

/* Returns whether EL0 came to its end; it is left for an announcement else. */
bool el0_run(unsigned int page, u64 value, const char *entry, u64 pstate);

void guest_set_up(void);
void guest_on_irq(struct ex_regs *regs);
void acknowledge(unsigned int intid);
void take_messages(struct ex_regs *regs);
void guest_on_svc(struct ex_regs *regs);
void leave_el0(struct ex_regs *regs, bool at_its_end);
long enable(u64 word);
void enable_block(unsigned int n);
void enable_kernel(void);
unsigned int announced(unsigned int page);
void loads(unsigned int page);
void loads_from_el1(unsigned int page);
void loads_unmasked(unsigned int page);
void release(unsigned int page);
void serve_at_halt(unsigned int page);
void serve_at_sync(unsigned int page);
/* And no thread of that page ends a halt for the next one; with host_wait_for_threads(). */
void loads_at_sync(unsigned int page);
void stay_idle(void);
void works_with(unsigned int page);
void wait_ready(u64 tokens);
void take_interrupts(void);

static inline void command(enum apf_command cmd, u64 arg0, u64 arg1)
{
	GUEST_SYNC3(cmd, arg0, arg1);
}

/* For hosts that do several things, with a number of 32 bits for each. */
static inline void ask_host(u64 what, u64 number)
{
	command(CMD_HOST, what << 32 | number, 0);
}

/* apf_cases.c */
void guest_one_fault(void);
void guest_page_ends_wfi(void);
void guest_store(void);
void guest_out_of_order(void);
void guest_one_batch(void);
void guest_tokens_full(void);
void guest_ready_not_taken(void);
void guest_no_ready_taken(void);
void guest_declines(void);
void guest_declines_another(void);
void guest_stale_declined(void);
void guest_second_declines(void);
void guest_claims_nothing(void);
void guest_el0_masked(void);
void guest_el1_masked(void);
void guest_el1_unmasked(void);
void guest_pmr(void);
void guest_ppi_disabled(void);
void guest_group_disabled(void);
void guest_distributor_off(void);
void guest_ppi_active(void);
void guest_ready_unseen(void);
void guest_second_context(void);
void guest_kernel_declines(void);
void guest_kernel_sleeps(void);

/* apf_state.c */
void guest_enabled_again(void);
void guest_bad_enable(void);
void guest_moved(void);
void guest_moved_repeated(void);
void guest_disabled(void);
void guest_enabled_anew(void);
void guest_block_gone(void);
void guest_memory_gone(void);
void guest_vcpu_reset(void);
void guest_in_flight_at_end(void);
void guest_read_only(void);
void guest_beyond_file(void);
void host_block_gone(struct apf_vm *v, u64 number);
void host_memory_gone(struct apf_vm *v, u64 number);
void host_vcpu_reset(struct apf_vm *v, u64 number);
void run_one_reg(const struct apf_case *c, u64 faults);
void run_el1_32bit(const struct apf_case *c, u64 faults);
void run_capability(const struct apf_case *c, u64 faults);

/* Tables of their own, which end with an empty case. */
extern const struct apf_case gic_cases[];
extern const struct apf_case entry_cases[];
extern const struct apf_case memory_cases[];
extern const struct apf_case life_cases[];
extern const struct apf_case dirty_cases[];
extern const struct apf_case fault_cases[];
extern const struct apf_case uffd_cases[];
extern const struct apf_case end_cases[];
extern const struct apf_case many_cases[];

/* apf_vectors.c */

/**
 * struct entry - what the first instruction of a handler finds
 * @regs:	X0 to X30
 * @vector:	offset of its vector
 * @pstate:	PSTATE, as SPSR_EL1 of an exception taken from there
 */
struct entry {
	u64	regs[31];
	u64	sp;
	u64	elr;
	u64	spsr;
	u64	vector;
	u64	pstate;
};

extern struct entry entry_found;
extern u64 entry_stack;
extern const char entry_vectors[], entry_load[], entry_load_a32[], entry_load_t32[];

/* Goes there, with 0x1000 + n in the other registers; returns from the handler. */
void entry_from(u64 x0, u64 pc, u64 pstate, u64 sp_el0);

/* apf_hostile.c */
extern u64 hostile_seed;
void run_hostile(const struct apf_case *c, u64 faults);
void guest_hostile(void);
void host_hostile(struct apf_vm *v, u64 number);
void hostile_on_irq(struct ex_regs *regs);

#endif /* SELFTEST_KVM_APF_TEST_H */
