"""People who ask, and what they get."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean, quantiles

from bot.inference.ray.affinity import by_preference
from bot.inference.scheduler.job import Job
from tests.simulation.replica import Replica, virtual_engines
from tests.virtual_time import run_in_virtual_time

PROMPT = 600
"""Tokens before a conversation's first question: what the bot is, and what stands above it."""
QUESTION = 60
ANSWER = 300
"""The median answer, reasoning included."""
SPREAD = 0.7
"""Standard deviation of an answer's logarithm."""
ANSWER_MEAN = ANSWER * math.exp(SPREAD**2 / 2)
TURNS = 4
"""Questions of a conversation."""
BETWEEN_TURNS = 5.0
"""Seconds in which a person reads an answer and writes on. Longer ones change nothing here but how
long it takes until as many questions come as are to come."""
WARM_UP = 4 * BETWEEN_TURNS


@dataclass
class Outcome:
    """What became of the requests. Times are in seconds."""

    first_tokens: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    second_turns: int = 0
    hits: int = 0
    """Later turns that found what was cached of the ones before."""
    tokens: Counter[str] = field(default_factory=Counter)
    """Generated, by the user's server."""

    def ended(self, job: Job, turn: int) -> None:
        assert job.first_token is not None
        self.first_tokens.append(job.first_token - job.submitted)
        self.prompt_tokens += len(job.sequence.prompt)
        if turn:
            self.second_turns += 1
            self.hits += job.sequence.cached_tokens > 0

    @property
    def hit_share(self) -> float:
        return self.hits / self.second_turns

    @property
    def mean(self) -> float:
        return fmean(self.first_tokens)

    @property
    def p95(self) -> float:
        return quantiles(self.first_tokens, n=20)[-1]


class World:
    """Replicas, and what they did. `spill` is by_preference's; None sends by load only."""

    def __init__(
        self,
        replicas: int,
        slots: int,
        spill: int | None,
        counted_from: float = 0.0,
        counted_to: float = math.inf,
    ) -> None:
        self.outcome = Outcome()
        self._counted = (counted_from, counted_to)
        self._spill = spill
        self._replicas = {str(at): Replica(slots, self._token) for at in range(replicas)}

    async def converse(self, user: str, name: str, turns: int, dice: random.Random) -> None:
        """A conversation of so many turns. `user` is `server/user`."""
        prompt = PROMPT
        for turn in range(turns):
            if turn:
                await asyncio.sleep(dice.expovariate(1 / BETWEEN_TURNS))
            prompt += QUESTION
            answer = max(8, round(dice.lognormvariate(math.log(ANSWER), SPREAD)))
            job = await self._choose(name).ask(user, name, prompt, answer)
            if self._counted[0] <= job.submitted < self._counted[1]:
                self.outcome.ended(job, turn)
            prompt += answer

    def _choose(self, conversation: str) -> Replica:
        ongoing = {name: replica.requests for name, replica in self._replicas.items()}
        key = "" if self._spill is None else conversation
        return self._replicas[by_preference(key, ongoing, self._spill or 0)[0]]

    def _token(self, job: Job, seconds: float) -> None:
        self.outcome.tokens[job.flow[0]] += 1


def open_load(
    *, replicas: int, slots: int, spill: int | None, questions_a_second: float, seconds: float
) -> Outcome:
    """Conversations that begin at random moments, each of somebody else, for so many seconds.

    Questions that come in the first WARM_UP of them, or after them, are not counted.
    """

    async def run() -> Outcome:
        world, dice = World(replicas, slots, spill, WARM_UP, seconds), random.Random(0)
        async with asyncio.TaskGroup() as people:
            for at, pause in enumerate(_arrivals(dice, questions_a_second / TURNS, seconds)):
                await asyncio.sleep(pause)
                talk = world.converse(f"{at}/{at}", str(at), TURNS, random.Random(at))
                people.create_task(talk)
        return world.outcome

    with virtual_engines():
        return run_in_virtual_time(run())


def _arrivals(dice: random.Random, rate: float, seconds: float) -> Iterator[float]:
    now = 0.0
    while (now := now + (pause := dice.expovariate(rate))) < seconds:
        yield pause


def all_waiting(
    *, replicas: int, slots: int, spill: int | None, servers: dict[str, int], seconds: float
) -> Outcome:
    """So many users of each server, each of whom asks again at once, for so many seconds."""

    async def keep_asking(world: World, user: str, dice: random.Random) -> None:
        talk = 0
        while True:
            talk += 1
            await world.converse(user, f"{user} {talk}", 1, dice)

    async def run() -> Outcome:
        world = World(replicas, slots, spill)
        people = [f"{server}/{at}" for server, users in servers.items() for at in range(users)]
        random.Random(0).shuffle(people)
        asking = [
            asyncio.create_task(keep_asking(world, user, random.Random(user))) for user in people
        ]
        await asyncio.sleep(seconds)
        outcome = world.outcome
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return outcome

    with virtual_engines():
        return run_in_virtual_time(run())
