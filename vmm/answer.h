/* SPDX-License-Identifier: GPL-2.0-only */
/* --apf-answer: the VMM, and not KVM, answers APF's hypercall, and may lie. */
#ifndef APFVM_ANSWER_H
#define APFVM_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/**
 * struct answer - what the guest gets to hear
 * @given:	or KVM answers
 * @version:	x1 of FEATURES
 * @intid:	x2 of FEATURES
 * @enable:	x0 of ENABLE
 *
 * All feature bits are set, in x3 of FEATURES: a guest ignores what it does not know.
 */
struct answer {
	bool given;
	uint64_t version;
	uint64_t intid;
	int64_t enable;
};

/* @text: VERSION:INTID[:ENABLE]. Says on stderr what is wrong with it. */
int answer_parse(struct answer *answer, const char *text);

/* Before the first vCPU runs. */
int answer_take_over(const struct answer *answer, int vm_fd);

/* The vCPU has left KVM_RUN with KVM_EXIT_HYPERCALL. */
int answer_call(const struct answer *answer, const struct vcpu *vcpu);

#endif /* APFVM_ANSWER_H */
