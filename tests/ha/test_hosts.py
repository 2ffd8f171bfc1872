"""A whole host of ours is lost: all its processes at once, without a word to anybody;
and one that is cut off for a while and comes back, its processes none the wiser.
`tests/run.sh ha`.

SPDX-License-Identifier: MIT
"""

USUAL = 12          # seconds in which nothing happens
AFTER = 30


async def host_dies(trial):
    host = trial.stack.hosts["app-1"]
    await trial.pass_by(USUAL)
    trial.fault("Parley: one of two hosts dies")
    host.lose()
    await trial.pass_by(AFTER)
    host.join()
    await trial.start(*host.processes)
    await trial.pass_by(5)


async def host_is_cut_off(trial):
    host = trial.stack.hosts["app-2"]
    await trial.pass_by(USUAL)
    trial.fault("Parley: one of two hosts is cut off for 15 s")
    host.cut()
    await trial.pass_by(15)
    host.join()
    for process in host.processes:
        await trial.thread(process.wait_ready)
    await trial.pass_by(AFTER - 15)


def test_the_other_host_serves_all_when_one_is_lost(judged):
    async def script(trial):
        await host_dies(trial)
        await host_is_cut_off(trial)
    trial = judged(script)
    assert trial.acked(0) > 300
