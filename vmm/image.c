// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "util.h"

/* Documentation/arch/arm64/booting.rst; all fields little-endian. */
struct header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t pe_offset;
};

#define HEADER_MAGIC		0x644d5241
#define HEADER_BIG_ENDIAN	1

struct file {
	const char *name;
	int fd;
	uint64_t size;
};

static int file_open(struct file *file, const char *name)
{
	struct stat st;

	file->name = name;
	file->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return say_errno("%s", name);
	if (fstat(file->fd, &st) < 0) {
		say_errno("%s", name);
		close(file->fd);
		return -1;
	}
	file->size = st.st_size;
	return 0;
}

static int file_load(const struct file *file, const struct memory *mem, uint64_t ipa)
{
	void *to = memory_at(mem, ipa, file->size);

	if (!to)
		return say_error("--mem: %" PRIu64 " MiB has no room for %s (%" PRIu64 " KiB)",
				 mem->size / MIB, file->name, file->size >> 10);
	if (read_all_at(file->fd, to, file->size, 0))
		return say_errno("%s", file->name);
	return 0;
}

static int read_header(const struct file *file, struct header *header)
{
	if (file->size < sizeof(*header) ||
	    read_all_at(file->fd, header, sizeof(*header), 0) ||
	    le32toh(header->magic) != HEADER_MAGIC)
		return say_error("%s: not an arm64 kernel Image; unpack a compressed one first",
				 file->name);
	if (le64toh(header->flags) & HEADER_BIG_ENDIAN)
		return say_error("%s: a big-endian kernel", file->name);
	if (!header->image_size)
		return say_error("%s: the header has no image size (older than Linux 3.17)",
				 file->name);
	return 0;
}

/* The device tree must not cross a 2 MiB boundary, so it starts at one. */
static int load_kernel(struct image *image, const struct memory *mem,
		       const struct file *file)
{
	struct header header;
	uint64_t size;

	if (read_header(file, &header))
		return -1;
	image->entry = MEMORY_BASE + le64toh(header.text_offset);
	size = le64toh(header.image_size);
	if (!memory_at(mem, image->entry, size))
		return say_error("--mem: %" PRIu64 " MiB is too small, %s needs %" PRIu64 " MiB",
				 mem->size / MIB, file->name, size / MIB + 1);
	image->dtb = align_up(image->entry + size, 2 * MIB);
	if (!memory_at(mem, image->dtb, IMAGE_DTB_SIZE))
		return say_error("--mem: %" PRIu64 " MiB has no room for the device tree",
				 mem->size / MIB);
	return file_load(file, mem, image->entry);
}

static int load_initrd(struct image *image, const struct memory *mem,
		       const char *name)
{
	struct file file;
	int ret;

	if (file_open(&file, name))
		return -1;
	image->initrd = image->dtb + IMAGE_DTB_SIZE;
	image->initrd_size = file.size;
	ret = file_load(&file, mem, image->initrd);
	close(file.fd);
	return ret;
}

int image_load(struct image *image, const struct memory *mem,
	       const char *kernel, const char *initrd)
{
	struct file file;
	int ret;

	memset(image, 0, sizeof(*image));
	if (file_open(&file, kernel))
		return -1;
	ret = load_kernel(image, mem, &file);
	close(file.fd);
	if (!ret && initrd)
		ret = load_initrd(image, mem, initrd);
	return ret;
}
