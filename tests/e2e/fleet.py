"""The processes of one tracker on one database, started again by their keeper whenever they die; and what can be done to them."""

import asyncio
import resource
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random

from tests.e2e.service import Service

FAKETIME = next(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"), None)
"""What shows another time of day to a process it is loaded into; None where it is not installed."""

_ONE = {"all": ""}
_SPLIT = {"receiver": "receiver", "api": "api", "worker-1": "worker", "worker-2": "worker"}


class Skewed(Service):
    """A service whose time of day can be another than ours; its monotonic clock is everybody's."""

    @property
    def environment(self) -> dict[str, str]:
        known = super().environment | {"PYTHONFAULTHANDLER": "1"}
        if FAKETIME is None:
            return known
        return known | {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "time"),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def skew(self, seconds: float) -> None:
        """Show it another time of day from within a second on."""
        new = self.folder / "time.new"
        new.write_text(f"{seconds:+.1f}\n")
        new.rename(self.folder / "time")


class Fleet:
    """The processes.

    Attributes:
        members: All of them by name; on SQLite one that does everything.
        done: How often each thing was done to them.
    """

    def __init__(self, folder: Path, issuer_url: str, sections: str, dice: Random, database_url: str = "") -> None:
        self._dice = dice
        self.done: Counter[str] = Counter()
        self.members: dict[str, Skewed] = {}
        for name, roles in (_SPLIT if database_url else _ONE).items():
            (folder / name).mkdir()
            member = Skewed(folder / name, issuer_url, sections, postgres=database_url, roles=roles)
            member.skew(0)
            self.members[name] = member
        self._hands = {name: asyncio.Lock() for name in self.members}

    @property
    def receiver(self) -> Service:
        return self.members.get("receiver") or self.members["all"]

    @property
    def api(self) -> Service:
        return self.members.get("api") or self.members["all"]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Fleet"]:
        try:
            await asyncio.gather(*(member.start() for member in self.members.values()))
            yield self
        finally:
            for member in self.members.values():
                if member.process is not None and member.process.returncode is None:
                    member.process.send_signal(signal.SIGCONT)
                    await member.kill()

    async def terminate(self) -> dict[str, int | str]:
        """Stop all in good order; give how those ended that did not."""

        async def end(member: Service) -> int | str:
            try:
                return await member.terminate()
            except TimeoutError:
                assert member.process is not None
                member.process.send_signal(signal.SIGABRT)  # it writes into its log what it is at
                await member.process.wait()
                return "did not end in time"

        ended = await asyncio.gather(*(end(member) for member in self.members.values()))
        return {name: how for name, how in zip(self.members, ended, strict=True) if how != 0}

    # ------------------------------------------------------------------------------------------ what is done to them

    async def kill(self) -> None:
        """Kill one at this instant, and have its keeper start it again."""
        name = self._somebody()
        async with self._hands[name]:
            await self.members[name].kill()
            self.done["kills"] += 1
            await self._start(name)

    async def pause(self, seconds: float) -> None:
        """Stop one in the middle of what it does, as a machine that is moved is, and let it go on."""
        name = self._somebody("worker")
        async with self._hands[name]:
            process = self.members[name].process
            assert process is not None
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)  # the others must notice
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            self.done["pauses"] += 1

    async def skew(self, most: float) -> None:
        """Step one's clock."""
        if FAKETIME is not None:
            self.members[self._somebody()].skew(self._dice.uniform(-most, most))
            self.done["clock_steps"] += 1

    async def fail_writes(self, seconds: float) -> None:
        """Let no file of one grow for a while, as on a full disk."""
        name = self._somebody()
        async with self._hands[name]:
            process = self.members[name].process
            assert process is not None
            with no_room_for(process.pid):
                await asyncio.sleep(seconds)
            self.done["full_disks"] += 1

    async def settle(self) -> None:
        """Leave them alone from now on: all run, at the right time."""
        for name, member in self.members.items():
            member.skew(0)
            async with self._hands[name]:
                if member.process is None or member.process.returncode is not None:
                    await self._start(name)

    def _somebody(self, role: str = "") -> str:
        named = [name for name in self.members if name.startswith(role)] or list(self.members)
        return self._dice.choice([name for name in named if not self._hands[name].locked()] or named)

    async def _start(self, name: str) -> None:
        """As a keeper does: again, until it comes up."""
        deadline = time.monotonic() + 60
        while True:
            try:
                await self.members[name].start()
            except (AssertionError, TimeoutError):  # the database may be away: it says so and ends
                await self.members[name].kill()
                assert time.monotonic() < deadline, f"{name} does not start"
                self.done["starts_without_database"] += 1
                await asyncio.sleep(0.3)
            else:
                return


@contextmanager
def no_room_for(*pids: int) -> Iterator[None]:
    """No file of these processes grows, for as long as this lasts: every write past its first byte fails with EFBIG."""
    try:
        _limit(pids, 1)
        yield
    finally:
        _limit(pids, resource.RLIM_INFINITY)


def _limit(pids: tuple[int, ...], soft: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
