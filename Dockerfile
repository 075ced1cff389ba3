# Two images from one file: `app` (also runs init and migrate) and `loadtest`.
# Nothing is compiled here and no index is named: pip reads PIP_INDEX_URL when a mirror is wanted.

FROM python:3.13.5-slim-trixie AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv \
    PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 poolsight \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin poolsight
WORKDIR /srv

# The environments are built by the base image's pip, which therefore stays out of them.
FROM base AS app-venv
ARG PIP_INDEX_URL
ENV PIP_CACHE_DIR=/var/cache/pip
COPY requirements.txt .
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install \
      --root-user-action ignore --only-binary :all: --require-hashes --no-deps -r requirements.txt

FROM base AS loadtest-venv
ARG PIP_INDEX_URL
ENV PIP_CACHE_DIR=/var/cache/pip
COPY requirements-loadtest.txt .
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install \
      --root-user-action ignore --only-binary :all: --require-hashes --no-deps -r requirements-loadtest.txt

FROM base AS loadtest
COPY --from=loadtest-venv /opt/venv /opt/venv
COPY loadtest loadtest
RUN python -m compileall -q loadtest
USER 10001:10001
EXPOSE 9646
ENTRYPOINT ["python", "-m", "loadtest"]

FROM base AS app
ENV FLASK_APP=app
COPY --from=app-venv /opt/venv /opt/venv
COPY migrations migrations
COPY app app
RUN python -m compileall -q app migrations
USER 10001:10001
EXPOSE 8000 9200
# /livez and not /readyz: an orchestrator must not kill a healthy process because its database is away.
# Every check is a process: with next to no imports, and not more often than somebody looks.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --start-interval=2s --retries=3 \
  CMD ["python", "-I", "-S", "-c", "import socket; s = socket.create_connection(('127.0.0.1', 8000)); s.sendall(b'GET /livez HTTP/1.0\\r\\n\\r\\n'); raise SystemExit(b' 200 ' not in s.recv(64))"]
CMD ["gunicorn", "-c", "python:app.server", "app:create_app()"]
