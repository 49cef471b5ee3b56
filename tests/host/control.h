/* SPDX-License-Identifier: GPL-2.0-only */
/* The cases of control: each returns, or ends its process by failed(). */
#ifndef APF_CONTROL_H
#define APF_CONTROL_H

#define INTID		16
#define OTHER_INTID	20

/* control_gic.c */
void all_orders(void);
void vcpu_initialised_after_the_rest(void);
void not_for_user_space_to_inject(void);
void edge_whatever_is_restored(void);
void eoi_of_a_raised_interrupt_after_restore(void);

#endif /* APF_CONTROL_H */
