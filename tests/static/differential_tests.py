# SPDX-License-Identifier: GPL-2.0-only
"""How the differential suite comes to its verdicts, on outputs that can be checked by hand."""

import json

from lab.harness import test
from tests.differential import boots, catalog, known, results, table
from tests.differential.guest import verdicts


def result(verdict="pass", faults=100, klog=(), **sub):
    return results.Result("a/b", verdict, sub=sub, faults=faults, klog=list(klog))


def judged(off=None, floor=20, **others):
    row = table.Row("a/b", {"kernel-1": result(**others)})
    if off:
        row.results["off-1"] = off
    row.judge(floor, known)
    return row


@test("differential: verdicts of TAP by name, the same name twice, skipped, nested")
def tap():
    text = ("TAP version 13\n1..4\nok 1 one\nnot ok 2 - two\nok 3 one\nok 4 three # SKIP no device\n"
            "    ok 1 inner\n# ok 5 in_a_comment\nlooks ok to me\nok 6 at 0xffff1234 after 12345\n")
    assert verdicts.parse(text) == {
        "one": "ok", "two": "not ok", "one#2": "ok", "three": "skip", "inner": "ok",
        "in_a_comment": "ok", "at N after N": "ok"}, verdicts.parse(text)


@test("differential: a record that was cut into pieces is whole again, a damaged one ends the list")
def pieces():
    whole = json.dumps({"sub": {"x": "ok"}, "name": "a/b"})
    lines = [{"piece": whole[:9], "last": False}, {"piece": whole[9:], "last": True}, {"begin": "c"}]
    text = "\n".join(map(json.dumps, lines))
    assert results.records(text) == [{"sub": {"x": "ok"}, "name": "a/b"}, {"begin": "c"}]
    found = results.records(text + "\n{\"pro")
    assert found[-1] == {"damaged": "{\"pro"}, found


@test("differential: what is bad at a level and not with APF off is different, all else is not")
def different():
    assert not judged(result(), one="ok").different
    assert judged(result(one="ok"), one="not ok").different == {"kernel-1": ["sub: one"]}
    assert not judged(result("fail", one="not ok"), verdict="fail", one="not ok").different
    assert judged(result(), verdict="hang").different == {"kernel-1": ["verdict: hang"]}
    assert judged(result(), verdict="skip").different == {"kernel-1": ["verdict: skip"]}
    assert judged(result(), klog=["CPU 12 said"]).different == {"kernel-1": ["log: CPU N said"]}
    assert not judged(result(klog=["CPU 3 said"]), klog=["CPU 12 said"]).different
    assert judged(result(one="ok", two="ok"), one="ok").different == {"kernel-1": ["missing: two"]}


@test("differential: a complaint that nothing was compared with is different")
def not_compared():
    assert judged(None, verdict="signal 11").different == {"kernel-1": ["verdict: signal 11"]}


@test("differential: a program without faults has tested nothing")
def idle():
    assert judged(result(), faults=19).idle == ["kernel-1"]
    assert not judged(result(), faults=20).idle
    assert not judged(result("skip"), verdict="skip", faults=0).idle


@test("differential: a guest that is lost has a victim, and the rest is run again")
def lost():
    reader = results.Reader(boots.Setting("kernel"), "")
    for record in ({"begin": "a"}, {"program": {
            "name": "a", "id": "p0", "status": 0, "hung": False, "left": 0, "seconds": 1, "runs": 1,
            "klog": [], "tail": ""}}, {"begin": "b"}):
        reader.take(record)
    assert reader.found["a"].verdict == "pass" and reader.begun == "b" and reader.done is None


@test("differential: 150 programs at least, each name once, those of make test among them")
def names():
    found = [program.name for program in catalog.programs()]
    assert len(found) >= 150 and len(found) == len(set(found)), len(found)
    assert set(catalog.QUICK) <= set(found), set(catalog.QUICK) - set(found)
