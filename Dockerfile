# One image for both processes; its command is `bot`. Runs on machines without a GPU too.
FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04

# Triton compiles its launcher with a C compiler at run time and needs Python's headers for it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-dev gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 bot \
    && mkdir /data && chown bot /data
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv

WORKDIR /app
ENV UV_PROJECT_ENVIRONMENT=/opt/venv UV_PYTHON=/usr/bin/python3 UV_NO_CACHE=1
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1

# The dependencies as uv.lock pins them, each file checked against its hash there; first, because
# they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-install-project --compile-bytecode --extra inference --extra postgres
COPY config config
COPY bot bot

USER 10001
# Everything that is written: database, models, compiled kernels.
ENV XDG_CACHE_HOME=/data/cache HF_HOME=/data/cache/huggingface TRITON_CACHE_DIR=/data/cache/triton
VOLUME /data
WORKDIR /home/bot
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
