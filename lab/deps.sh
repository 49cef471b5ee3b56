#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Install what the lab needs. This is in sh because python3 may be missing; once it is there,
# lab/deps.py does the rest. Arguments are handed on to it.

cd "$(dirname "$0")/.." || exit

if ! command -v python3 >/dev/null; then
	if ! command -v apt-get >/dev/null; then
		echo "deps: python3 is missing: install it" >&2
		exit 1
	fi
	sudo=
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "deps: as root: apt-get install --no-install-recommends python3" >&2
			exit 1
		fi
		sudo=sudo
	fi
	echo "deps: to be installed: python3"
	$sudo apt-get -q update >/dev/null || {
		echo "deps: apt-get update failed; see what it says" >&2
		exit 1
	}
	$sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -o Dpkg::Use-Pty=0 install --no-install-recommends python3 >/dev/null || {
		echo "deps: apt-get could not install python3" >&2
		exit 1
	}
fi

exec python3 -m lab deps "$@"
