"""A job towards its client, in whichever form: as it comes, and how it ended."""

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bot.inference.scheduler.job import Failed, Finished, Job
from bot.inference.server.errors import ApiError

STATUS_OF = {"deadline_exceeded": 504, "shutting_down": 503, "engine_failed": 500}
"""HTTP status of a failed job, for a client that does not stream."""


class JobStream(StreamingResponse):
    """The job as server-sent events; it is cancelled when the client goes away."""

    media_type = "text/event-stream"

    def __init__(self, job: Job, events: AsyncIterator[str]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store"})
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._job:  # not in the generator, which never runs if the client is gone by now
            await super().__call__(scope, receive, send)


def end_of(job: Job) -> Finished:
    """The end of a job that was read to it. Raises ApiError when it failed or was cancelled."""
    match job.outcome:
        case Finished() as finished:
            return finished
        case Failed() as failed:
            raise failure(failed)
        case None:
            raise ApiError(499, "The client closed the connection.")


def failure(failed: Failed) -> ApiError:
    """How a job failed, as a refusal."""
    return ApiError(
        STATUS_OF[failed.code], failed.message, code=failed.code, retry_after=failed.retry_after
    )
