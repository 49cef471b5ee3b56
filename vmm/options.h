/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef APFVM_OPTIONS_H
#define APFVM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "evict_plan.h"
#include "policy.h"

#define CPUS_MAX	8
#define BOOTS_MAX	8
#define DISKS_MAX	2

/* A number that the command line did not give: there is a default, or a file. */
#define OPTION_UNSET	(UINT64_MAX - 1)

/* What apfvm's exit status says. The numbers are part of its interface. */
enum status {
	STATUS_OFF	= 0,
	STATUS_ERROR	= 1,
	STATUS_USAGE	= 2,
	STATUS_RESET	= 3,
	STATUS_MEMORY	= 4,
	STATUS_STOPPED	= 5,
	STATUS_SAVED	= 6,
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

struct disk_options {
	const char *name;
	bool writable;
};

struct state;

/* @restore: the file, and @counter, from it, the guest's counter. */
struct options {
	const char *kernel;
	const char *initrd;
	const char *append[BOOTS_MAX];
	unsigned int boots;
	struct disk_options disk[DISKS_MAX];
	unsigned int disks;
	const char *console;
	const char *result;
	const char *marks;
	const char *cold_file;
	const char *pages_socket;
	const char *save;
	struct state *restore;
	uint64_t mem_mib;
	uint64_t cold_mib;
	uint64_t cpus;
	uint64_t apf_intid;
	uint64_t seed;
	uint64_t stop_after_ms;
	uint64_t save_after_ms;
	uint64_t counter;
	enum apf_mode apf;
	struct churn_options churn;
	struct evict_options evict;
	enum backing backing;
	bool dirty_log;
	bool mergeable;
	bool sve;
	bool cold_ro;
	bool no_gic;
	bool mapped;
	bool pin;
	struct policy_list policies;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_WRONG,
};

/* options_help.c: what --help prints. */
extern const char options_help[];

/* Says on stderr what is wrong; the help text goes to stdout. */
enum options_result options_parse(struct options *opt, int argc, char **argv);

/* options_file.c, for options_parse(). */
int options_check_save(const struct options *opt);
int options_check_served(const struct options *opt);
int options_check_evict(const struct options *opt);
int options_take_file(struct options *opt);

/* The pages that cold memory comes in. */
uint64_t options_cold_page(const struct options *opt);

#endif /* APFVM_OPTIONS_H */
