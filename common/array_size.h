/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef APF_ARRAY_SIZE_H
#define APF_ARRAY_SIZE_H

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif /* APF_ARRAY_SIZE_H */
