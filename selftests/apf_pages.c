// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: cold memory. A thread reads the userfaultfd; a page is let go when
 * the case says so, never by the clock.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "apf_test.h"

#define MESSAGES	16

static unsigned int count_busy_threads(void)
{
	return count_threads("S");
}

/* Until nobody fetches a page any more, the userfaultfd being gone. */
void wait_for_threads(void)
{
	while (count_busy_threads())
		usleep(POLL_US);
}

static struct uffdio_range range_of(struct apf_pages *p, unsigned int page)
{
	return (struct uffdio_range) {
		.start = align_down((u64)p->memory + (u64)page * COLD_STRIDE, p->page_size),
		.len = p->page_size,
	};
}

/* A huge page has several of ours. */
static void fill_copy(struct apf_pages *p, unsigned int page)
{
	u64 i;

	for (i = 0; i < p->page_size; i += COLD_STRIDE)
		*(u64 *)(p->copy + i) = COLD_WORD(page + i / COLD_STRIDE);
}

static int copy_page(struct apf_pages *p, unsigned int page, struct uffdio_range range)
{
	struct uffdio_copy copy = {
		.dst = range.start,
		.src = (u64)p->copy,
		.len = range.len,
	};

	fill_copy(p, page);

	return ioctl(p->uffd, UFFDIO_COPY, &copy);
}

static int continue_page(struct apf_pages *p, struct uffdio_range range)
{
	struct uffdio_continue at = { .range = range };

	return ioctl(p->uffd, UFFDIO_CONTINUE, &at);
}

static int write_protect(struct apf_pages *p, struct uffdio_range range, u64 mode)
{
	struct uffdio_writeprotect protect = { .range = range, .mode = mode };

	return ioctl(p->uffd, UFFDIO_WRITEPROTECT, &protect);
}

static int give(struct apf_pages *p, unsigned int page, struct uffdio_range range)
{
	switch (p->page[page].answer) {
	case ANSWER_COPY:
		return copy_page(p, page, range);
	case ANSWER_CONTINUE:
		return continue_page(p, range);
	case ANSWER_UNPROTECT:
		return write_protect(p, range, 0);
	case ANSWER_WAKE:
		return ioctl(p->uffd, UFFDIO_WAKE, &range);
	}

	return -1;
}

static void answered(struct apf_pages *p, unsigned int page)
{
	p->asked -= p->page[page].asked;
	p->page[page].asked = false;
}

/* EEXIST: an answer crossed the request. Who asked is to be woken still. */
static void answer(struct apf_pages *p, unsigned int page)
{
	struct uffdio_range range = range_of(p, page);
	int ret;

	do {
		ret = give(p, page, range);
	} while (ret && errno == EAGAIN);
	if (ret && errno == EEXIST)
		ret = ioctl(p->uffd, UFFDIO_WAKE, &range);
	TEST_ASSERT(!ret, "page %u cannot be given: errno %d", page, errno);

	answered(p, page);
	p->served++;
}

static bool may_go(struct apf_pages *p, const struct cold_page *page)
{
	if (!page->asked || page->policy == PAGE_HOLD)
		return false;

	return page->policy == PAGE_SERVE || apf_vm_stat(p->v, page->stat) > page->above;
}

/* Returns whether a page waits for a counter. */
static bool serve(struct apf_pages *p)
{
	bool waits = false;
	int i;

	for (i = 0; i < COLD_PAGES && p->asked; i++) {
		if (may_go(p, &p->page[i]))
			answer(p, i);
		else if (p->page[i].asked && p->page[i].policy == PAGE_SERVE_AT)
			waits = true;
	}

	return waits;
}

static enum page_answer answer_to(u64 pagefault_flags)
{
	if (pagefault_flags & UFFD_PAGEFAULT_FLAG_WP)
		return ANSWER_UNPROTECT;

	return pagefault_flags & UFFD_PAGEFAULT_FLAG_MINOR ? ANSWER_CONTINUE : ANSWER_COPY;
}

static void take_request(struct apf_pages *p, const struct uffd_msg *msg)
{
	struct cold_page *page;

	p->events[msg->event]++;
	if (msg->event == UFFD_EVENT_FORK)
		p->forked_uffd = msg->arg.fork.ufd;
	if (msg->event == UFFD_EVENT_REMAP)
		p->memory = (char *)msg->arg.remap.to;
	if (msg->event != UFFD_EVENT_PAGEFAULT)
		return;

	page = &p->page[(msg->arg.pagefault.address - (u64)p->memory) / COLD_STRIDE];
	p->asked += !page->asked;
	page->asked = true;
	page->answer = answer_to(msg->arg.pagefault.flags);
}

static void take_requests(struct apf_pages *p)
{
	struct uffd_msg msg[MESSAGES];
	ssize_t i, n = read(p->uffd, msg, sizeof(msg));

	TEST_ASSERT(n >= 0 || errno == EAGAIN, "read of the userfaultfd: errno %d", errno);
	for (i = 0; n > 0 && i < n / (ssize_t)sizeof(msg[0]); i++)
		take_request(p, &msg[i]);
}

static void *server(void *arg)
{
	struct apf_pages *p = arg;
	struct pollfd fds[] = {
		{ .fd = p->uffd, .events = POLLIN },
		{ .fd = p->poke, .events = POLLIN },
	};
	bool waits = false;
	eventfd_t pokes;

	while (!READ_ONCE(p->stop)) {
		poll(fds, ARRAY_SIZE(fds), waits ? 1 : -1);
		eventfd_read(p->poke, &pokes);

		pthread_mutex_lock(&p->lock);
		take_requests(p);
		waits = serve(p);
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
	}

	return NULL;
}

static unsigned int count_waiting(struct apf_pages *p)
{
	unsigned int asked;

	if (p->v->c->unread)
		return uffd_queue(p->uffd).all;

	pthread_mutex_lock(&p->lock);
	asked = p->asked;
	pthread_mutex_unlock(&p->lock);

	return asked;
}

/* Until those left, if any, are at work on pages that are held. */
void pages_settle(struct apf_pages *p)
{
	while (count_busy_threads() > count_waiting(p))
		usleep(POLL_US);
}

void pages_release(struct apf_pages *p, unsigned int page)
{
	pthread_mutex_lock(&p->lock);
	while (!p->page[page].asked)
		pthread_cond_wait(&p->changed, &p->lock);
	answer(p, page);
	pthread_mutex_unlock(&p->lock);

	pages_settle(p);
}

void pages_release_all(struct apf_pages *p, unsigned int count)
{
	int i;

	pthread_mutex_lock(&p->lock);
	while (p->asked < count)
		pthread_cond_wait(&p->changed, &p->lock);
	TEST_ASSERT_EQ(p->asked, count);
	for (i = 0; i < COLD_PAGES; i++)
		if (p->page[i].asked)
			answer(p, i);
	pthread_mutex_unlock(&p->lock);

	pages_settle(p);
}

void pages_policy(struct apf_pages *p, unsigned int page, enum page_policy policy,
		  enum apf_stat stat)
{
	pthread_mutex_lock(&p->lock);
	p->page[page].policy = policy;
	p->page[page].stat = stat;
	p->page[page].above = apf_vm_stat(p->v, stat);
	pthread_mutex_unlock(&p->lock);

	eventfd_write(p->poke, 1);
}

void pages_forget(struct apf_pages *p)
{
	TEST_ASSERT(!madvise(p->memory, COLD_SIZE, MADV_DONTNEED),
		    "madvise: errno %d", errno);
}

void pages_forget_one(struct apf_pages *p, unsigned int page)
{
	struct uffdio_range range = range_of(p, page);

	TEST_ASSERT(!madvise((void *)range.start, range.len, MADV_DONTNEED),
		    "madvise: errno %d", errno);
}

void pages_protect(struct apf_pages *p, unsigned int page)
{
	TEST_ASSERT(!write_protect(p, range_of(p, page), UFFDIO_WRITEPROTECT_MODE_WP),
		    "UFFDIO_WRITEPROTECT: errno %d", errno);
}

/* Who has asked is not woken before the page is released. */
void pages_unprotect(struct apf_pages *p, unsigned int page)
{
	pthread_mutex_lock(&p->lock);
	while (!p->page[page].asked)
		pthread_cond_wait(&p->changed, &p->lock);
	TEST_ASSERT(!write_protect(p, range_of(p, page), UFFDIO_WRITEPROTECT_MODE_DONTWAKE),
		    "UFFDIO_WRITEPROTECT: errno %d", errno);
	p->page[page].answer = ANSWER_WAKE;
	pthread_mutex_unlock(&p->lock);
}

/* Whoever touches it is sent SIGBUS. If it is there, it goes. */
void pages_poison(struct apf_pages *p, unsigned int page)
{
	struct uffdio_poison poison = { .range = range_of(p, page) };

	pages_forget_one(p, page);
	TEST_ASSERT(!ioctl(p->uffd, UFFDIO_POISON, &poison), "UFFDIO_POISON: errno %d", errno);

	pthread_mutex_lock(&p->lock);
	answered(p, page);
	pthread_mutex_unlock(&p->lock);
}

void pages_give(struct apf_pages *p, unsigned int page)
{
	pthread_mutex_lock(&p->lock);
	answer(p, page);
	pthread_mutex_unlock(&p->lock);

	pages_settle(p);
}

void pages_wake(struct apf_pages *p, unsigned int page)
{
	struct uffdio_range range = range_of(p, page);

	TEST_ASSERT(!ioctl(p->uffd, UFFDIO_WAKE, &range), "UFFDIO_WAKE: errno %d", errno);
}

void pages_wait_asked(struct apf_pages *p, unsigned int count)
{
	pthread_mutex_lock(&p->lock);
	while (p->asked < count)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void pages_wait_event(struct apf_pages *p, unsigned int event)
{
	pthread_mutex_lock(&p->lock);
	while (!p->events[event])
		pthread_cond_wait(&p->changed, &p->lock);
	TEST_ASSERT_EQ(p->events[event], 1);
	pthread_mutex_unlock(&p->lock);
}

/* The thread that faults is named: the vCPU's is the first of the process. */
static void check_thread_id(struct apf_pages *p, const struct uffd_msg *msg)
{
	bool is_vcpu = msg->arg.pagefault.feat.ptid == getpid();

	if (p->v->c->uffd_features & UFFD_FEATURE_THREAD_ID)
		TEST_ASSERT(is_vcpu != uffd_threads, "thread %u has asked",
			    msg->arg.pagefault.feat.ptid);
}

void pages_take(struct apf_pages *p, unsigned int messages)
{
	struct pollfd fd = { .fd = p->uffd, .events = POLLIN };
	struct uffd_msg msg;

	while (messages--) {
		poll(&fd, 1, -1);
		TEST_ASSERT_EQ(read(p->uffd, &msg, sizeof(msg)), (ssize_t)sizeof(msg));
		check_thread_id(p, &msg);
		take_request(p, &msg);
	}
}

u64 pages_served(struct apf_pages *p)
{
	u64 served;

	pthread_mutex_lock(&p->lock);
	served = p->served;
	pthread_mutex_unlock(&p->lock);

	return served;
}

static void open_uffd(struct apf_pages *p)
{
	const struct apf_case *c = p->v->c;
	struct uffdio_api api = { .api = UFFD_API, .features = c->uffd_features };
	struct uffdio_register reg = {
		.range.start = (u64)p->memory,
		.range.len = COLD_SIZE,
		.mode = c->uffd_mode ?: UFFDIO_REGISTER_MODE_MISSING,
	};

	/* KVM faults from the kernel, which needs root or a sysctl. */
	p->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	__TEST_REQUIRE(p->uffd >= 0, "userfaultfd: errno %d", errno);
	__TEST_REQUIRE(!ioctl(p->uffd, UFFDIO_API, &api), "UFFDIO_API: errno %d", errno);
	TEST_ASSERT(!ioctl(p->uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER: errno %d", errno);
}

/* For minor faults, all of it is in the page cache. */
static void fill_alias(struct apf_pages *p)
{
	u64 i;

	for (i = 0; i < COLD_PAGES; i++)
		*(u64 *)(p->alias + i * COLD_STRIDE) = COLD_WORD(i);
}

void pages_create(struct apf_pages *p, struct apf_vm *v, void *memory, void *alias)
{
	p->v = v;
	p->memory = memory;
	p->alias = alias;
	p->page_size = get_backing_src_pagesz(v->c->cold_source);
	p->copy = aligned_alloc(p->page_size, p->page_size);
	TEST_ASSERT(p->copy, "no memory");
	memset(p->copy, 0, p->page_size);
	open_uffd(p);
	if (v->c->uffd_mode & UFFDIO_REGISTER_MODE_MINOR)
		fill_alias(p);

	p->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	TEST_ASSERT(p->poke >= 0, "eventfd: errno %d", errno);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->forked_uffd = -1;
	if (v->c->unread)
		return;

	TEST_ASSERT(!pthread_create(&p->server, NULL, server, p), "no thread");
}

void pages_close(struct apf_pages *p)
{
	close(p->uffd);
	p->uffd = -1;
}

/* With the userfaultfd the wait of all who still want a page ends. */
void pages_destroy(struct apf_pages *p)
{
	if (!p->memory)
		return;

	if (!p->v->c->unread) {
		WRITE_ONCE(p->stop, true);
		eventfd_write(p->poke, 1);
		pthread_join(p->server, NULL);
	}
	pages_close(p);
	close(p->poke);
	free(p->copy);
}
