// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: what a VMM may do to a vCPU or a memslot while a page is under way. It
 * stops the vCPU and lets it go on, suspends it until an interrupt comes, and puts
 * other memory where the page was.
 */
#include <linux/bitmap.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "apf_test.h"
#include "gic.h"
#include "vgic.h"

#define WAKE_INTID	40	/* an SPI */

enum {
	HOST_STOP,
	HOST_SUSPEND,
	HOST_ELSEWHERE,
};

struct interrupter {
	pthread_t	thread;
	pthread_t	vcpu;
	bool		stop;
};

static void on_signal(int signal)
{
}

/* The vCPU's thread is the first of the process, whose state this is. */
static bool vcpu_sleeps(void)
{
	FILE *f = fopen("/proc/self/stat", "r");
	char state = 0;

	TEST_ASSERT(f, "no /proc/self/stat");
	TEST_ASSERT(fscanf(f, "%*d (%*[^)]) %c", &state) == 1, "/proc/self/stat is not understood");
	fclose(f);

	return state == 'S';
}

/* A signal that comes before KVM_RUN has no effect: so again and again. */
static void *interrupt(void *arg)
{
	struct interrupter *i = arg;

	while (!READ_ONCE(i->stop)) {
		if (vcpu_sleeps())
			pthread_kill(i->vcpu, SIGUSR1);
		usleep(POLL_US);
	}

	return NULL;
}

/* KVM_RUN, until the vCPU has gone to sleep there and a signal has woken it. */
static void run_interrupted(struct apf_vm *v)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct interrupter i = { .vcpu = pthread_self() };
	int ret, error;

	sigaction(SIGUSR1, &action, NULL);
	TEST_ASSERT(!pthread_create(&i.thread, NULL, interrupt, &i), "no thread");
	ret = __vcpu_run(v->vcpu);
	error = errno;
	WRITE_ONCE(i.stop, true);
	pthread_join(i.thread, NULL);

	TEST_ASSERT(ret, "KVM_RUN has ended by exit %d, not by the signal",
		    v->vcpu->run->exit_reason);
	TEST_ASSERT_EQ(error, EINTR);
}

static void set_state(struct apf_vm *v, u32 state)
{
	struct kvm_mp_state mp_state = { .mp_state = state };

	vcpu_mp_state_set(v->vcpu, &mp_state);
}

/* The page comes, the vCPU's thread looks, and nothing is told. */
static void page_comes_meanwhile(struct apf_vm *v, u32 state)
{
	const struct kvm_apf_block *b = addr_gpa2hva(v->vm, BLOCK_ADDR(0));

	set_state(v, state);
	pages_release(&v->pages, 0);
	run_interrupted(v);
	run_interrupted(v);
	TEST_ASSERT_EQ(READ_ONCE(b->ready), 0);
	TEST_ASSERT_EQ(apf_vm_stat(v, APF_READY), 0);
}

static void wake_up(struct apf_vm *v)
{
	kvm_arm_irq_line(v->vm, WAKE_INTID, 1);
	vcpu_run(v->vcpu);
	kvm_arm_irq_line(v->vm, WAKE_INTID, 0);
	TEST_ASSERT_KVM_EXIT_REASON(v->vcpu, KVM_EXIT_SYSTEM_EVENT);
	TEST_ASSERT_EQ(v->vcpu->run->system_event.type, KVM_SYSTEM_EVENT_WAKEUP);
}

/*
 * As cold as the first, which stays as it is. Page 0 comes once the guest was told of
 * the token that is given up: so there are two batches, whoever is quicker.
 */
static void put_other_memory(struct apf_vm *v)
{
	static struct apf_pages other;
	struct userspace_mem_region *r = memslot2region(v->vm, COLD_SLOT);
	void *memory = mmap(NULL, r->region.memory_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(memory != MAP_FAILED, "mmap: errno %d", errno);
	pages_create(&other, v, memory, NULL);
	pages_policy(&other, 0, PAGE_SERVE_AT, APF_BATCHES);
	apf_vm_set_memory(v, COLD_SLOT, false);
	vm_set_user_memory_region(v->vm, COLD_SLOT, r->region.flags, r->region.guest_phys_addr,
				  r->region.memory_size, memory);
}

static void host_life(struct apf_vm *v, u64 number)
{
	switch (number) {
	case HOST_STOP:
		page_comes_meanwhile(v, KVM_MP_STATE_STOPPED);
		break;
	case HOST_SUSPEND:
		page_comes_meanwhile(v, KVM_MP_STATE_SUSPENDED);
		wake_up(v);
		break;
	case HOST_ELSEWHERE:
		return put_other_memory(v);
	}
	set_state(v, KVM_MP_STATE_RUNNABLE);
}

/* One page under way, while the VMM does that, and one after it. */
static void page_under_way(u64 number)
{
	unsigned int token;

	guest_set_up();
	gic_irq_enable(WAKE_INTID);
	token = announced(0);
	command(CMD_HOST, number, 0);
	gic_irq_clear_pending(WAKE_INTID);
	wait_ready(BIT(token));
	works_with(1);
	loads(0);
	GUEST_DONE();
}

static void guest_stopped(void)
{
	page_under_way(HOST_STOP);
}

static void guest_suspended(void)
{
	page_under_way(HOST_SUSPEND);
}

/* Both tokens become ready, the one that was given up and the new one. */
static void guest_elsewhere(void)
{
	unsigned int old, new;

	guest_set_up();
	old = announced(0);
	command(CMD_HOST, HOST_ELSEWHERE, 0);
	new = announced(0);
	wait_ready(BIT(old) | BIT(new));
	loads(0);
	GUEST_ASSERT_NE(old, new);
	GUEST_DONE();
}

const struct apf_case life_cases[] = {
	{
		.name = "stopped_and_going_on",
		.guest = guest_stopped,
		.host = host_life,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "suspended",
		.guest = guest_suspended,
		.host = host_life,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "slot_over_other_memory",
		.guest = guest_elsewhere,
		.host = host_life,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{}
};
