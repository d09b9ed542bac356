"""How long requests take, measured, and how long the next ones will take."""

from bot.inference.scheduler.job import Job

WEIGHT = 0.2
"""Share of the newest observation in a moving average."""


class Average:
    """An exponential moving average; `value` is None before the first observation."""

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, observation: float) -> None:
        if self.value is None:
            self.value = observation
        else:
            self.value += WEIGHT * (observation - self.value)


class Speed:
    """Averages of prefill and decode speed, and of answer lengths per effort level."""

    def __init__(self) -> None:
        self._prefill_seconds = Average()
        self._prompt_tokens = Average()
        self._per_token = Average()
        self._lengths: dict[str | None, Average] = {}
        self._any_length = Average()

    @property
    def tokens_per_second(self) -> float | None:
        """Decode speed of one request."""
        return 1 / self._per_token.value if self._per_token.value else None

    def observe(self, job: Job) -> None:
        """Learn from a job that has ended; a cancelled one tells the speed, not the length."""
        if job.started is None or job.first_token is None:
            return
        self._prefill_seconds.add(job.first_token - job.started)
        self._prompt_tokens.add(len(job.sequence.prompt))
        if job.tokens > 1:
            self._per_token.add((job.last_token - job.first_token) / (job.tokens - 1))
        if job.finished:
            self._any_length.add(job.tokens)
            self._lengths.setdefault(job.effort, Average()).add(job.tokens)

    def tokens_left(self, job: Job) -> float | None:
        """Tokens that `job` has yet to produce; None while no answer's length is known."""
        mean = self._lengths.get(job.effort, self._any_length).value
        if mean is None:
            return None
        # An answer that outlives the average is expected to go on for a quarter of it.
        return min(max(mean - job.tokens, mean / 4), job.max_tokens - job.tokens)

    def seconds_left(self, job: Job) -> float | None:
        """Seconds on the engine until `job` ends; None while nothing was measured."""
        tokens = self.tokens_left(job)
        if tokens is None or not self._prompt_tokens.value or self._prefill_seconds.value is None:
            return None
        prefill = 0.0
        if job.first_token is None:
            seconds_per_token = self._prefill_seconds.value / self._prompt_tokens.value
            prefill = seconds_per_token * len(job.sequence.prompt)
        return prefill + tokens * (self._per_token.value or 0.0)
