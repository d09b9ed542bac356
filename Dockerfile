# docker build --target cuda . (the default), or --target cpu: for machines without an NVIDIA card.
# Both processes are in each image; its command is `bot`.
# By digest, because a tag moves; docs/operations.md says how to take newer ones.
ARG UV=ghcr.io/astral-sh/uv:0.13.0@sha256:cdc6093146eb3ff6a40107b38f008b789e050e77ad87865e381d9917da55a168
ARG UBUNTU=ubuntu:24.04@sha256:008173c23f95b170204355c12626cb5a965d779a7e1283b09e9cffbb1bf33ca3

FROM ${UV} AS uv

FROM ${UBUNTU} AS base
# Triton compiles its launcher with a C compiler at run time and needs Python's headers for it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates gcc libc6-dev python3 python3-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 bot \
    && mkdir /data /key && chown bot /data /key
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1

# The dependencies as uv.lock pins them, each file checked against its hash there; before the code,
# because they change less often.
FROM base AS build-cuda
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_PROJECT_ENVIRONMENT=/opt/venv UV_PYTHON=/usr/bin/python3 UV_NO_CACHE=1
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-install-project --compile-bytecode --extra inference --extra postgres

# The same without CUDA: torch's build for the CPU, of the version in uv.lock. --no-deps: the list is
# whole but for torch, which accelerate would ask for, without a hash.
FROM base AS build-cpu
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_PYTHON=/usr/bin/python3 UV_NO_CACHE=1 VIRTUAL_ENV=/opt/venv
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY pyproject.toml uv.lock ./
RUN uv venv /opt/venv \
    && uv export --quiet --locked --no-emit-project --extra inference --extra postgres \
        --prune torch --prune triton --output-file /tmp/locked.txt \
    && uv pip install --no-deps --require-hashes --requirements /tmp/locked.txt \
    && uv pip install --torch-backend cpu \
        "torch==$(uv export --quiet --locked --no-hashes --extra inference \
            | sed --quiet 's/^torch==\([0-9.]*\).*/\1/p' | head --lines 1)"

FROM base AS program
COPY config config
COPY bot bot
# Everything that is written: database, models, compiled kernels. /key: the secret that compose.yaml
# shares between the containers.
ENV XDG_CACHE_HOME=/data/cache HF_HOME=/data/cache/huggingface TRITON_CACHE_DIR=/data/cache/triton
ENV STORAGE_URL=sqlite+aiosqlite:////data/bot.db METRICS_LISTEN=127.0.0.1:9090
VOLUME /data
USER 10001
WORKDIR /home/bot
# Of `bot run`; compose.yaml asks `bot serve` for its own health.
HEALTHCHECK --start-period=60s \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 9090), 5)"]
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]

FROM program AS cpu
COPY --from=build-cpu /opt/venv /opt/venv

FROM program AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/venv /opt/venv
