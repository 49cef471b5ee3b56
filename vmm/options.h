/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef APFVM_OPTIONS_H
#define APFVM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

#define CPUS_MAX	8
#define BOOTS_MAX	8

/* What apfvm's exit status says. The numbers are part of its interface. */
enum status {
	STATUS_OFF	= 0,
	STATUS_ERROR	= 1,
	STATUS_USAGE	= 2,
	STATUS_RESET	= 3,
	STATUS_MEMORY	= 4,
	STATUS_STOPPED	= 5,
};

enum apf_mode {
	APF_DEFAULT,
	APF_OFF,
	APF_ON,
};

/* What happens to the cold memory while the guest works there. */
enum churn_how {
	CHURN_NONE,
	CHURN_DELETE,
	CHURN_MOVE,
	CHURN_READ_ONLY,
	CHURN_LOG,
	CHURN_COLLAPSE,
};

enum backing {
	BACKING_ANON,
	BACKING_SHMEM,
	BACKING_HUGETLB,
};

struct churn_options {
	enum churn_how how;
	uint64_t every_ms;
};

struct options {
	const char *kernel;
	const char *initrd;
	const char *append[BOOTS_MAX];
	unsigned int boots;
	const char *console;
	const char *result;
	const char *marks;
	const char *cold_file;
	uint64_t mem_mib;
	uint64_t cold_mib;
	uint64_t cpus;
	uint64_t apf_intid;
	uint64_t seed;
	uint64_t stop_after_ms;
	enum apf_mode apf;
	struct churn_options churn;
	enum backing backing;
	bool dirty_log;
	bool mergeable;
	bool sve;
	bool cold_ro;
	bool no_gic;
	struct policy_list policies;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_WRONG,
};

/* Says on stderr what is wrong; the help text goes to stdout. */
enum options_result options_parse(struct options *opt, int argc, char **argv);

/* The pages that cold memory comes in. */
uint64_t options_cold_page(const struct options *opt);

#endif /* APFVM_OPTIONS_H */
