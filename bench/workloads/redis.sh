# SPDX-License-Identifier: GPL-2.0-only
# Key-value servers, each one thread with 10,000 values of 1,000 bytes, and the load on them.

# servers N: start and fill them.
servers()
{
	for port in $(seq 7001 $((7000 + $1))); do
		redis-server --port "$port" --save '' --daemonize yes --dir /tmp/data \
			--logfile "/tmp/data/log.$port" >&2
		until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.05; done
		redis-benchmark -p "$port" -q -t set,get -r 10000 -n $((20000 / $1)) -d 1000 -c 16 -P 8 >&2
	done
}

# requests N OF-EACH: random GETs of 16 clients, shared by the servers; what came of them, in JSON.
requests()
{
	start=$(now_ms)
	for port in $(seq 7001 $((7000 + $1))); do
		redis-benchmark -p "$port" --csv -t get -r 10000 -n "$2" -d 1000 -c $((16 / $1)) \
			>"csv.$port" &
		clients="$clients $!"
	done
	for client in $clients; do
		wait "$client" || exit 1
	done
	report redis "$start"
	awk -F '","' -v n="$1" 'FNR == 2 { sum += $2; if ($7 > p99) p99 = $7; found++ }
		END { if (found != n) exit 1
			printf "{\"requests_per_s\":%.1f,\"p99_ms\":%.3f}\n", sum, p99 }' csv.* || exit 1
}

end_servers()
{
	for port in $(seq 7001 $((7000 + $1))); do
		redis-cli -p "$port" shutdown nosave
	done
}

# cold N OF-EACH: N servers answer OF-EACH requests each, after all was paged out.
cold()
{
	servers "$1"
	paged_out
	requests "$1" "$2"
	end_servers "$1"
}

# moved N OF-EACH: while the VM is moved; nothing is paged out.
moved()
{
	servers "$1"
	echo "@stats go"
	requests "$1" "$2"
	sleep 8			# all of it has to be there when we turn ourselves off
	echo "@stats end"
	end_servers "$1"
}
