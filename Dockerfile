# One image for both processes; its command is `bot`. Runs on machines without a GPU too.
FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04

# Triton compiles its launcher with a C compiler at run time and needs Python's headers for it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-dev python3-venv gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 bot \
    && mkdir /data && chown bot /data

WORKDIR /app
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1

# The dependencies first: they change less often than the code.
COPY pyproject.toml README.md LICENSE ./
COPY bot/__init__.py bot/__init__.py
COPY config config
RUN pip install --no-cache-dir '.[inference]'
COPY bot bot
RUN pip install --no-cache-dir --no-deps '.[inference]'

USER bot
# Everything that is written: database, models, compiled kernels.
ENV XDG_CACHE_HOME=/data/cache HF_HOME=/data/cache/huggingface TRITON_CACHE_DIR=/data/cache/triton
VOLUME /data
WORKDIR /home/bot
ENTRYPOINT ["bot"]
CMD ["run"]
