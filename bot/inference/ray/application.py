"""What Ray deploys: the front, and a replica a card."""

from pathlib import Path

import ray
from pydantic import BaseModel, ConfigDict, PositiveInt
from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.deployment import Application

from bot.config import ConfigError, load_config
from bot.config.schema import InferenceConfig
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
    """

    model_config = ConfigDict(extra="forbid")

    config: Path | None = None
    replicas: PositiveInt = 1


def app(arguments: Arguments) -> Application:
    """The application that Ray builds. Raises ConfigError."""
    config = load_config(arguments.config)
    if not config.inference.api_key.get_secret_value():
        raise ConfigError(
            ["inference.api_key must be set: Ray's proxy listens to other machines too"]
        )
    return application(config.inference, load_model, arguments.replicas)


def application(inference: InferenceConfig, load: Load, replicas: int) -> Application:
    """The front and its replicas, each with the model that `load` loads."""
    most = inference.slots + inference.queue_limit
    replica = serve.deployment(
        Replica,
        num_replicas=replicas,
        # More than a replica takes: the service refuses what its queue has no room for, and says
        # when to try again, where Ray would let it wait untold.
        max_ongoing_requests=2 * most,
        graceful_shutdown_timeout_s=inference.request_timeout_seconds,
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
        ray_actor_options={"num_cpus": 0},  # it mostly waits: no replica is to lack a core for it
    )
    return ingress.bind(replica.bind(inference, load), inference.api_key.get_secret_value())


def _on_cards(device: str) -> bool:
    """Whether each replica gets a card; with `auto`, if the cluster has any now."""
    if device == "auto":
        return bool(ray.cluster_resources().get("GPU"))
    return device != "cpu"
