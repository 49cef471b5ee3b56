# SPDX-License-Identifier: GPL-2.0-only
"""What a configuration makes of a VM: the guest's steps, apfvm's options, the host's script.

And what it costs at most, in virtual time: a bound that follows from the inputs alone.
"""

from lab.levels import LEVELS
from tests.simulate.seeds import CUT_SHORT, KNOBS, RESETS
from tests.lives import NEXT_LIVES
from tests.vm import AFTERMATH, Vm, command_line

MEM_MIB = 64
MEMORY_BASE = 0x80000000
PAGE = 4096
# What killed tasks waited for comes, too. The driver's counters on both sides of KVM's, until nothing moves between them; then an idle guest.
TAIL = ("sleep 300", "ps-d", "apf", "stats q0", "apf", "stats q1", "apf", "stats q2", "apf",
        "sleep 400", "stats still")
FOR_GOOD = "sleep 600000"
# Pages with the other delay, in stripes: wherever a round is, it has both.
STRIPE, STRIPES = 96, 4
NOISE_US = 2000
# Behind those of all rounds.
EXIT_PAGES = 1200

# Time of the host's own, from its start and after the VMM's end; the guest's first steps are seen.
SCRIPT = """
up() {{ cut -d ' ' -f 1 /proc/uptime >>/out/uptime; }}
said() {{ grep -q '"stats":"go"' /out/result 2>/dev/null; }}
up
echo {hugepages} >/proc/sys/vm/nr_hugepages
vmm &
until said || [ -e /out/status ]; do sleep 0.02; done
{knob}
{event}
wait
cp /out/status /out/statuses
cp /out/result /out/result.0
if [ "$(cat /out/status)" = 6 ]; then
{lives}
fi
# A VMM that was killed may have been in the middle of a line.
[ -z "$(tail -c 1 /out/result)" ] || sed -i '$d' /out/result
up
""" + AFTERMATH


def knob(config):
    """(name, value), or None."""
    name = config["knob"]
    return name and (name, KNOBS[name][config["knob_value"]])


def knob_lines(config):
    chosen = [*filter(None, [knob(config)]), *[("threads", 1)] * config["threads"]]
    return "\n".join(f"echo {value} >$KNOBS/knobs/{name}" for name, value in chosen)


def is_announcing(config):
    return LEVELS[config["level"]].announces


# The guest's job

def load(values, skip, label):
    words = [f"--tasks {values['tasks']} --pages {values['pages']} --skip {skip} --label {label}"]
    words.append({"interleaved": "", "blocked": "--layout blocked",
                  "same-page": "--same-page"}[values["layout"]])
    words.append({"none": "", "half": "--half-syscall", "all": "--syscall"}[values["syscall"]])
    words.append({"none": "", "each": "--pin-each", "one": "--pin 0"}[values["pin"]])
    words.append({None: "", "bystander": "--bystander", "timers": f"--timer-noise {NOISE_US}",
                  "ipis": f"--ipi-noise {NOISE_US}"}[values["company"]])
    words += [option for option in ("--write", "--fp") if values[option[2:]]]
    if values["compute_us"]:
        words.append(f"--compute {values['compute_us']}")
    return " ".join(filter(None, words))


def toggles(values, cpus):
    """CPUs that go and come; in the end all are there again."""
    online = dict.fromkeys(range(1, cpus), True)
    yield "sleep 60"
    for n in range(values["toggles"]):
        cpu = 1 + (n * 5 // 2) % (cpus - 1)
        online[cpu] = not online[cpu]
        yield f"online {cpu} {online[cpu]:d}"
        yield f"sleep {values['toggle_ms']}"
    yield from (f"online {cpu} 1" for cpu, there in online.items() if not there)


def round_steps(config, values, skip, number):
    start = "start " + load(values, skip, f"r{number}")
    exits = []
    if values["exits"]:
        exits = [f"exits {values['exits']} {EXIT_PAGES + number * values['exits']}"]
    if values["turn"] == "killed":
        return [start, f"sleep {values['turn_ms']}", "kill", *exits]
    if values["turn"] == "hotplug":
        return [start, *toggles(values, config["cpus"]), "wait", *exits]
    return [start, "wait", *exits]


def placed_rounds(config):
    """Each round with its first page: behind those before it, or where the first one was."""
    at = 0
    for values in config["rounds"]:
        yield values, 0 if values["where"] == "again" else at
        at += values["pages"] if values["where"] == "fresh" else 0


def boots(config):
    """The steps of each boot of the guest."""
    rounds = list(placed_rounds(config))
    begin = ["evict on"] if config["evict"] else []
    tail = ["evict off", *TAIL] if config["evict"] else TAIL
    first = ["apf", "stats go", *begin]
    if config["life"] not in RESETS:
        for number, (values, skip) in enumerate(rounds):
            first += round_steps(config, values, skip, number)
        return [first + ([FOR_GOOD] if config["life"] in CUT_SHORT else list(tail))]

    values, skip = rounds[0]
    end = {"reboot": ["reboot"], "sysrq": ["sysrq b"], "reset": [FOR_GOOD]}[config["life"]]
    first += ["start " + load(values, skip, "r0"), f"sleep {config['moment']}", *end]
    # The evictor outlives a reset. The counters are read twice, so that nothing of that is missing.
    calm = ["evict off", "apf", "stats calm"] if config["evict"] else []
    second = [*calm, "apf", "stats again", "apf", *begin]
    # The pages of the first one are there, or under way.
    for number, (values, skip) in enumerate(rounds[1:] or [(values, values["pages"])], 1):
        second += round_steps(config, values, skip, number)
    return [first, [*second, *tail]]


# The VMM's options

def pages(config):
    size = 2 << 20 if config["backing"] == "hugetlb" else PAGE
    return (config["cold_mib"] << 20) // size


def failing_page(config):
    return config["rounds"][0]["pages"] // 2


def manner(config, delay):
    """Without a delay there is nothing to hold a batch for."""
    batch = f",batch={config['batch']},order={config['order']}"
    return f"delay={delay}" + batch * (config["batch"] > 1 and delay > 0)


def policies(config):
    other = config["other_delay"]
    yield f"all:{manner(config, config['delay'])}"
    if other is not None:
        stripe = 1 if config["backing"] == "hugetlb" else STRIPE
        yield from (f"{n * stripe}-{(n + 1) * stripe}:{manner(config, other)}"
                    for n in range(1, 2 * STRIPES, 2) if (n + 1) * stripe <= pages(config))
    if config["evict"]:
        yield f"ram:delay={config['ram_delay']}"
    if config["failing"]:
        page = failing_page(config)
        yield f"{page}-{page + 1}:fail" + (",delay=30" if config["failing"] == "late" else "")


def lasting_args(config):
    """Those that a restored VM is given again."""
    if config["dirty_log"]:
        yield "--dirty-log"
    if config["churn"]:
        yield from ("--churn", f"{config['churn']}={config['churn_ms']}")


def args(config):
    yield from ("--mem", str(MEM_MIB), "--stop-after", str(bound_ms(config)))
    yield from lasting_args(config)
    if config["backing"] != "anon":
        yield from ("--cold-backing", config["backing"])
    if is_announcing(config) and config["intid"] != 16:
        yield from ("--apf-intid", str(config["intid"]))
    if config["evict"]:
        full = f",full={config['evict_full']}" if config["evict_full"] else ""
        yield from ("--evict", f"every={config['evict_ms']},pages={config['evict_pages']},"
                    f"range={config['evict']},seed={config['qemu_seed']}{full}")
    if config["life"] == "saved":
        yield from ("--save", "/tmp/vm.0")
    for steps in boots(config)[1:]:
        yield from ("--append", command_line(steps, LEVELS[config["level"]].guest))


# What the host does

def event(config):
    """By the host, at a moment of the guest's life."""
    name = {"saved": "USR2", "reset": "HUP", "killed": "KILL", "stopped": "TERM"}.get(config["life"])
    if not name:
        return ""
    return f"sleep {config['moment'] / 1000}\nkill -{name} $(pidof apfvm)"


def lives(config):
    if config["life"] != "saved":
        return "true"
    first, *others = policies(config)
    more = " ".join([*(f"--policy {policy}" for policy in others), *lasting_args(config)])
    return NEXT_LIVES.format(
        policies=" ".join([first] * config["lives"]), more=more, parameters=config["parameters"],
        ms=config["life_ms"], last=config["lives"], ram_delay=config["ram_delay"],
        at_last=f"--stop-after {bound_ms(config)}")


def script(config):
    return SCRIPT.format(
        hugepages=config["cold_mib"] // 2 if config["backing"] == "hugetlb" else 0,
        knob=knob_lines(config), event=event(config), lives=lives(config))


def vm(config):
    """The timeout is the PC's, and no verdict: for a QEMU that hangs, on a PC that is busy."""
    return Vm(level=config["level"], cpus=config["cpus"], smp=config["host_cpus"],
              cold=config["cold_mib"], policy=tuple(policies(config)), steps=boots(config)[0],
              args=tuple(args(config)), script=script(config), seed=config["qemu_seed"],
              mem="1G", timeout=1200)


# What it may take

def page_ms(config):
    """Of one page that nothing else is done meanwhile for."""
    name, value = knob(config) or (None, 0)
    delay = max(config["delay"], config["other_delay"] or 0) * (2 if config["batch"] > 1 else 1)
    hold = value if name in ("hold_done", "hold_halt") else 0
    # Each of those faults goes back into the guest and out again.
    late = value / 20 if name == "late_ppi" else 0
    return delay + 2 * hold + late + 20


def round_ms(config, values):
    touches = values["pages"] * (values["tasks"] if values["layout"] == "same-page" else 1)
    turns = values["toggles"] * (values["toggle_ms"] + 300) if values["turn"] == "hotplug" else 0
    return (values["pages"] + values["exits"]) * page_ms(config) + touches * (values["compute_us"] + 100) / 1000 + turns


def bound_ms(config):
    """Virtual time of the whole: one fault after the other, twice, and what a boot takes."""
    work = sum(round_ms(config, values) for values in config["rounds"])
    lived = config["lives"] * (config["life_ms"] + 5000) if config["life"] == "saved" else 0
    slower = 3 if config["churn"] or config["evict"] else 1
    return int(2 * slower * work + lived + config["moment"] + 15000)
