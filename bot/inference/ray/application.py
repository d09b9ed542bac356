"""What Ray deploys: the front, and a replica a card."""

from pathlib import Path
from typing import Any

import ray
from click import ClickException
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.deployment import Application
from ray.serve.exceptions import RayServeException

from bot.config import ConfigError, InferenceConfig, load_config
from bot.inference.ray.front import Front
from bot.inference.ray.replica import Load, Replica
from bot.inference.ray.routing import ConversationRouter
from bot.inference.server.model import load_model

FRONT_REQUESTS = 10_000
"""At once in a front: they wait in the replicas, where it is fair and told."""
HEALTH_SECONDS = 2.0
"""How often Ray looks whether a replica's engine still works."""
TRIES = 3
"""Starts of a replica that fail, after which Ray gives up."""


class Arguments(BaseModel):
    """`args` of the application in Ray's file, or after its name: `config=bot.yaml replicas=2`.

    config: the bot's configuration file, of which `inference` counts.
    replicas: how many there are, unless Ray's file has `autoscaling_config`.
    version: another number has Ray read the file again and replace all replicas.
    """

    model_config = ConfigDict(extra="forbid")

    config: Path | None = None
    replicas: PositiveInt = 1
    version: int = 0


class Unusable(RayServeException, ClickException):  # type: ignore[misc]
    """What can't be deployed: its message has a line for each problem.

    Ray prints no traceback of its own errors, nor does its command line of Click's.
    """


def app(args: dict[str, Any]) -> Application:
    """The application that Ray builds, by Arguments. Raises Unusable."""
    return application(args, load_model)


def application(args: dict[str, Any], load: Load) -> Application:
    """The front and its replicas, each with the model that `load` loads. Raises Unusable."""
    try:
        arguments = Arguments.model_validate(args)
        inference = load_config(arguments.config).inference
    except ValidationError as error:
        raise Unusable("\n".join(map(_described, error.errors(include_url=False)))) from None
    except ConfigError as error:
        raise Unusable(str(error)) from None
    if not inference.api_key.get_secret_value():
        raise Unusable("inference.api_key must be set: Ray's proxy listens to other machines too")
    return _deployments(inference, load, arguments.replicas)


def _deployments(inference: InferenceConfig, load: Load, replicas: int) -> Application:
    most = inference.slots + inference.queue_limit
    grace = inference.request_timeout_seconds  # no answer takes longer
    replica = serve.deployment(
        Replica,
        num_replicas=replicas,
        # More than a replica takes: the service refuses what its queue has no room for, and says
        # when to try again, where Ray would let it wait untold.
        max_ongoing_requests=2 * most,
        graceful_shutdown_timeout_s=grace,
        health_check_period_s=HEALTH_SECONDS,
        max_constructor_retry_count=TRIES,
        ray_actor_options={"num_gpus": int(_on_cards(inference.device))},
        # One with a free slot is never left. With one slot, one request more is let pass: Ray hears
        # of an answer's end a moment after its client, who may ask on at once.
        request_router_config=RequestRouterConfig(
            request_router_class=ConversationRouter,
            request_router_kwargs={"spill": max(inference.slots - 1, 1)},
        ),
    )
    ingress = serve.deployment(
        serve.ingress()(Front),
        max_ongoing_requests=FRONT_REQUESTS,
        graceful_shutdown_timeout_s=grace,
        ray_actor_options={"num_cpus": 0},  # it mostly waits: no replica is to lack a core for it
    )
    return ingress.bind(replica.bind(inference, load), inference.api_key.get_secret_value())


def _on_cards(device: str) -> bool:
    """Whether each replica gets a card; with `auto`, if the cluster has any now."""
    if device == "auto":
        return bool(ray.cluster_resources().get("GPU"))
    return device != "cpu"


def _described(mistake: Any) -> str:
    where = ".".join(["args", *map(str, mistake["loc"])])
    if mistake["type"] == "extra_forbidden":
        return f"{where}: unknown key, allowed: {', '.join(Arguments.model_fields)}"
    return f"{where}: {mistake['msg']}"
