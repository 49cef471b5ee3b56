/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef APFVM_OPTIONS_H
#define APFVM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/option_table.h"
#include "answer.h"
#include "evict_plan.h"
#include "policy.h"

#define CPUS_MAX	8
#define BOOTS_MAX	8
#define DISKS_MAX	2

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

/*
 * @append: of each boot. @restore: the file @restore_name, and @counter, from it, the
 * guest's counter. @policies: what is in @policy.
 */
struct options {
	const char *kernel;
	const char *initrd;
	struct option_texts append;
	struct disk_options disk[DISKS_MAX];
	unsigned int disks;
	const char *console;
	const char *result;
	const char *marks;
	const char *cold_file;
	const char *pages_socket;
	const char *apf_answer;
	const char *save;
	const char *restore_name;
	const char *prefetch;
	struct state *restore;
	uint64_t mem_mib;
	uint64_t cold_mib;
	uint64_t cpus;
	uint64_t apf_intid;
	uint64_t seed;
	uint64_t stop_after_ms;
	uint64_t save_after_ms;
	uint64_t bandwidth;
	uint64_t counter;
	enum apf_mode apf;
	struct answer answer;
	struct churn_options churn;
	struct evict_options evict;
	enum backing backing;
	bool dirty_log;
	bool mergeable;
	bool sve;
	bool cold_ro;
	bool no_gic;
	bool pageout;
	bool mapped;
	bool huge;
	bool pin;
	struct option_texts policy;
	struct policy_list policies;
};

/* options_table.c */
extern const struct option_table options_table;
void options_print_help(FILE *to);

/* Says on stderr what is wrong; the help text goes to stdout. */
enum option_result options_parse(struct options *opt, int argc, char **argv);

/* options_file.c, for options_parse(). @given: see option_read_line(). */
int options_check_save(const struct options *opt);
int options_check_served(const struct options *opt);
int options_check_evict(const struct options *opt);
int options_take_file(struct options *opt, uint64_t given);

/* The pages that cold memory comes in, and all memory of a VM that was restored. */
uint64_t options_cold_page(const struct options *opt);

#endif /* APFVM_OPTIONS_H */
