# SPDX-License-Identifier: GPL-2.0-only
"""The lives of a VM that is saved and restored, from the second one on."""

# Ready bits that a restored vCPU sets at first: all of them.
TOKENS = 64

# Each is a process of its own; the last one ends by itself, or the guest in an earlier one.
NEXT_LIVES = """
life=1
for policy in {policies}; do
	echo $(echo {parameters} | cut -d ' ' -f $(((life - 1) % 3 + 1))) \\
		>/sys/module/kvm-arm/parameters/apf
	save="--save /tmp/vm.$life --save-after {ms}"
	[ $life = {last} ] && save="{at_last}"
	apfvm --restore /tmp/vm.$((life - 1)) --policy $policy {more} --policy ram:delay={ram_delay} $save \\
		--console /out/console.$life --result /out/result.$life 2>>/out/vmm.err
	echo $? | tee -a /out/statuses >/tmp/status
	mv /tmp/vm.$((life - 1)).json /out/saved.$((life - 1))
	rm /tmp/vm.$((life - 1))
	cat /out/result.$life >>/out/result
	[ "$(cat /tmp/status)" = 6 ] || break
	life=$((life + 1))
done
tail -n 1 /out/statuses >/out/status
"""
