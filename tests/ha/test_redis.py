"""The master of Redis is lost, in both ways: its host dies; it is parted from its
replicas and lives on, with all processes still connected to it. Sentinel chooses
another one. `tests/run.sh ha`.

SPDX-License-Identifier: MIT
"""

USUAL = 12          # seconds in which nothing happens
AFTER = 20


async def host_dies(trial):
    cache = trial.stack.cache
    old = cache.master()
    await trial.pass_by(USUAL)
    trial.fault("Redis: the master's host dies")
    old.host.lose()
    await trial.until(lambda: cache.moved_from(old), "new master")
    await trial.pass_by(AFTER)
    # It still thinks itself a master until a Sentinel has told it.
    old.host.join()
    await trial.start(*old.host.processes)
    await trial.until(cache.agreed, "one master with all replicas")


async def parted(trial):
    """Nobody is with the old master any more as soon as there is a new one."""
    cache = trial.stack.cache
    old = cache.master()
    others = [s.host for s in cache.servers if s is not old]
    await trial.pass_by(USUAL)
    trial.fault("Redis: the master is parted from its replicas")
    for other in others:
        old.host.part(other)
    await trial.until(lambda: cache.moved_from(old), "new master")
    await trial.until(lambda: listeners(old) == 0,
                      "gateways that left the old master")
    assert old.connect().info("replication")["role"] == "master"
    await trial.pass_by(AFTER)
    for other in others:
        old.host.meet(other)
    await trial.until(cache.agreed, "one master with all replicas")
    await trial.pass_by(5)


def listeners(server):
    """Topics of people that somebody listens to there."""
    return len(server.connect().pubsub_channels("user:*"))


def test_two_failovers_of_redis_lose_nothing(judged):
    async def script(trial):
        await host_dies(trial)
        await parted(trial)
    trial = judged(script)
    assert trial.acked(0) > 300
    for process in trial.stack.processes():
        assert process.log_text().count("redis_master") >= 3, process.name
