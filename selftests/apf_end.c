// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: userfaults are posted, and the VM goes away, or the process forks. The
 * userfaultfd may go first or last.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "apf_test.h"

/*
 * The userfaultfd alone knows of them. Threads may still be on their way there, and the
 * server, if it is that which reads.
 */
void check_posted(struct apf_pages *p, unsigned int unread, unsigned int all)
{
	while (uffd_threads && uffd_queue(p->uffd).all < all)
		usleep(POLL_US);
	TEST_ASSERT_EQ(uffd_queue(p->uffd).all, all);

	while (!p->v->c->unread && uffd_queue(p->uffd).unread > unread)
		usleep(POLL_US);
	TEST_ASSERT_EQ(uffd_queue(p->uffd).unread, unread);
	TEST_ASSERT(uffd_threads || !count_threads(""), "KVM has made a thread");
}

static pid_t child;

/*
 * The child has all that its parent has: the VM, its vCPU, both userfaultfds. What is
 * posted is posted in the parent's memory alone.
 */
void make_child(struct apf_pages *p)
{
	child = fork();
	TEST_ASSERT(child >= 0, "fork: errno %d", errno);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	pages_wait_event(p, UFFD_EVENT_FORK);
	TEST_ASSERT_EQ(uffd_queue(p->forked_uffd).all, 0);
}

void end_child(void)
{
	int status;

	TEST_ASSERT(!kill(child, SIGKILL), "kill: errno %d", errno);
	TEST_ASSERT(waitpid(child, &status, 0) == child, "waitpid: errno %d", errno);
}

/* Pages 0 and so on; their tokens have the same numbers. */
void post(unsigned int pages)
{
	unsigned int page;

	guest_set_up();
	for (page = 0; page < pages; page++)
		GUEST_ASSERT_EQ(announced(page), page);
}

static void guest_posts(void)
{
	post(POSTED);
	GUEST_DONE();
}

/* The VM is gone, and the userfaultfd still answers. */
static void check_harmless(struct apf_pages *p, unsigned int unread)
{
	struct pollfd fd = { .fd = p->uffd, .events = POLLIN };

	check_posted(p, uffd_threads ? unread : 0, uffd_threads ? POSTED : 0);
	TEST_ASSERT_EQ(poll(&fd, 1, 0), uffd_threads && unread);
	pages_give(p, 0);
	pages_wake(p, 1);
	TEST_ASSERT_EQ(*(u64 *)p->memory, COLD_WORD(0));
}

/* The order in which they are closed. */
static const char * const orders[] = { "cvu", "cuv", "vcu", "vuc", "ucv", "uvc" };

static void close_in_order(struct apf_vm *v, const char *order, unsigned int unread)
{
	for (; *order; order++) {
		if (*order == 'c')
			apf_vm_close_vcpus(v);
		else if (*order == 'v')
			apf_vm_close(v);
		else
			pages_close(&v->pages);
		if (order[1] == 'u' && !order[2])
			check_harmless(&v->pages, unread);
	}
}

/* Read by nobody, or by somebody who does not answer. */
static void run_torn_down(const struct apf_case *c, u64 faults)
{
	struct apf_vm v;
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(orders); i++) {
		apf_vm_create(&v, c);
		apf_vm_run(&v);
		apf_vm_check_counts(&v);
		pages_take(&v.pages, i % 2 ? POSTED : 0);
		check_posted(&v.pages, i % 2 ? 0 : POSTED, POSTED);
		close_in_order(&v, orders[i / 2], i % 2 ? 0 : POSTED);
		pages_destroy(&v.pages);
		wait_for_threads();
	}
}

/* The VMM has closed the VM, which its child keeps. It goes away with the child. */
static void run_child_keeps_it(const struct apf_case *c, u64 faults)
{
	struct apf_vm v;

	apf_vm_create(&v, c);
	apf_vm_run(&v);
	apf_vm_check_counts(&v);
	pages_wait_asked(&v.pages, POSTED);
	make_child(&v.pages);
	apf_vm_close_vcpus(&v);
	apf_vm_close(&v);
	check_posted(&v.pages, 0, POSTED);
	end_child();
	check_harmless(&v.pages, 0);
	pages_destroy(&v.pages);
	wait_for_threads();
}

const struct apf_case end_cases[] = {
	{
		.name = "torn_down_in_any_order",
		.guest = guest_posts,
		.run = run_torn_down,
		.unread = true,
		.expect = { [APF_ANNOUNCED] = POSTED },
	},
	{
		.name = "child_keeps_the_vm",
		.guest = guest_posts,
		.run = run_child_keeps_it,
		.uffd_features = UFFD_FEATURE_EVENT_FORK,
		.expect = { [APF_ANNOUNCED] = POSTED },
	},
	{}
};
