// SPDX-License-Identifier: GPL-2.0-only
#include <asm/kvm_apf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "answer.h"
#include "util.h"
#include "vm.h"

#define SMCCC_RET_SUCCESS	0
#define SMCCC_RET_NOT_SUPPORTED	(-1)

int answer_parse(struct answer *answer, const char *text)
{
	int used = 0, fields;

	*answer = (struct answer) { .given = true };
	fields = sscanf(text, "%" SCNu64 ":%" SCNu64 "%n:%" SCNd64 "%n", &answer->version,
			&answer->intid, &used, &answer->enable, &used);
	if (fields < 2 || text[used])
		return say_error("--apf-answer: '%s' is not VERSION:INTID[:ENABLE], three numbers",
				 text);
	return 0;
}

int answer_take_over(const struct answer *answer, int vm_fd)
{
	struct kvm_smccc_filter filter = {
		.base = KVM_APF_SMCCC_ID,
		.nr_functions = 1,
		.action = KVM_SMCCC_FILTER_FWD_TO_USER,
	};
	struct kvm_device_attr attr = {
		.group = KVM_ARM_VM_SMCCC_CTRL,
		.attr = KVM_ARM_VM_SMCCC_FILTER,
		.addr = (uintptr_t)&filter,
	};

	if (answer->given && ioctl(vm_fd, KVM_SET_DEVICE_ATTR, &attr))
		return say_errno("--apf-answer: no filter of SMCCC calls (Linux 6.4 has it)");
	return 0;
}

int answer_call(const struct answer *answer, const struct vcpu *vcpu)
{
	uint64_t function, result = SMCCC_RET_NOT_SUPPORTED;

	if (vcpu_get_x(vcpu, 1, &function))
		return say_errno("vCPU %u: cannot get x1", vcpu->index);
	if (function == KVM_APF_FEATURES) {
		result = SMCCC_RET_SUCCESS;
		if (vcpu_set_x(vcpu, 1, answer->version) || vcpu_set_x(vcpu, 2, answer->intid) ||
		    vcpu_set_x(vcpu, 3, UINT64_MAX))
			return say_errno("vCPU %u: cannot set x1 to x3", vcpu->index);
	} else if (function == KVM_APF_ENABLE) {
		result = answer->enable;
	}
	if (vcpu_set_x(vcpu, 0, result))
		return say_errno("vCPU %u: cannot set x0", vcpu->index);
	return 0;
}
