# Build and run: docs/operating/compose.yaml, or what docs/operating.md says under "Docker".
#
# The volume holds the database: if it has a name, the next container continues where this one stopped.
# A host folder in its place has to belong to 10001:10001.

# The digest of the tag on 9 October 2026 (Python 3.13.16), for every platform. To get newer fixes, replace it with the one
# that `docker buildx imagetools inspect python:3.13-slim` shows, and build.
FROM python:3.13-slim@sha256:70729b46c69b4f1e97c4822c1af3df53a1476cf5ddc6c087c0c10bc3a5678c2f AS python


FROM python AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Without pip: nobody installs into a finished image.
RUN python -m venv --without-pip /opt/darkroom
COPY requirements.lock ./
RUN pip --python /opt/darkroom/bin/python install --require-hashes --only-binary :all: -r requirements.lock

# The build backend, pinned by hash like everything else. To upgrade it, change version and hash together.
RUN echo "setuptools==84.2.1 --hash=sha256:ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2" > backend.lock \
    && pip install --require-hashes --only-binary :all: -r backend.lock

COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
    && pip --python /opt/darkroom/bin/python install --no-deps --no-index /wheels/*.whl \
    && pip --python /opt/darkroom/bin/python check


FROM python
# MIT is the bot's own licence. Its dependencies have others; pillow-heif's wheel is under the GPL (README.md).
LABEL org.opencontainers.image.title="Darkroom" \
      org.opencontainers.image.description="A Telegram bot that edits photos: send one with a caption, get the edited picture back." \
      org.opencontainers.image.licenses="MIT"

COPY --from=build /opt/darkroom /opt/darkroom
RUN install -d -o 10001 -g 10001 -m 0700 /data

# HOST, METRICS_HOST: unpublished ports stay inside the container's network.
# PYTHONSAFEPATH: code must never be imported from the working directory /data.
ENV PATH=/opt/darkroom/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    METRICS_HOST=0.0.0.0 \
    DATABASE_PATH=/data/darkroom.db

USER 10001:10001
# So that a relative DATABASE_PATH is on the volume, too.
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM

# Checks that the bot is alive, not that it can serve (/readyz): when Telegram is down, a restart does not help.
# http.client, because urllib would use a proxy of the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; bot = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8080), timeout=4); bot.request('GET', '/healthz'); sys.exit(bot.getresponse().status != 200)"]

ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
