# One file for every image: docker build --build-arg SERVICE=ingest --tag leadbus/ingest:0.1.0 .
# SERVICE is ingest, normalizer, adf-mailer or cli (the `leadbus` command, for Jobs).
#
# Pinned by tag: the digest belongs here, where the registry can be asked for it.
ARG PYTHON_IMAGE=python:3.13.9-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_DEV=1 \
    UV_PYTHON_DOWNLOADS=never \
    UV_CACHE_DIR=/var/cache/uv \
    UV_PROJECT_ENVIRONMENT=/opt/leadbus
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet "uv==${UV_VERSION}"
WORKDIR /src
ARG SERVICE
RUN case "${SERVICE}" in ingest|normalizer|adf-mailer|cli) ;; \
    *) echo "--build-arg SERVICE= ingest, normalizer, adf-mailer or cli" >&2; exit 1 ;; esac

# What others wrote changes seldom: a layer of its own, from the lock and the members' names alone.
COPY pyproject.toml uv.lock ./
COPY libs/common/pyproject.toml libs/common/
COPY libs/cli/pyproject.toml libs/cli/
COPY libs/devstack/pyproject.toml libs/devstack/
COPY services/ingest/pyproject.toml services/ingest/
COPY services/normalizer/pyproject.toml services/normalizer/
COPY services/adf-mailer/pyproject.toml services/adf-mailer/
RUN --mount=type=cache,target=/var/cache/uv \
    package="$(test "${SERVICE}" = cli && echo leadbus-cli || echo "${SERVICE}")" \
    && extra="$(test "${SERVICE}" = adf-mailer && echo "--extra=dkim" || true)" \
    && /opt/uv/bin/uv sync --frozen --no-install-workspace --package "${package}" ${extra}

COPY libs/common libs/common
COPY libs/cli libs/cli
COPY services services
RUN --mount=type=cache,target=/var/cache/uv \
    package="$(test "${SERVICE}" = cli && echo leadbus-cli || echo "${SERVICE}")" \
    && extra="$(test "${SERVICE}" = adf-mailer && echo "--extra=dkim" || true)" \
    && /opt/uv/bin/uv sync --frozen --no-editable --package "${package}" ${extra}
COPY deploy/image/service deploy/image/alive /opt/leadbus/bin/
RUN chmod 0555 /opt/leadbus/bin/service /opt/leadbus/bin/alive

FROM ${PYTHON_IMAGE} AS run
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="leadbus ${SERVICE}" \
      org.opencontainers.image.description="Carries car dealers' leads from where they arise to where dealers work on them." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/leadbus /opt/leadbus
# Bytecode is compiled above; nothing is written at run time but what a library puts into /tmp.
ENV PATH=/opt/leadbus/bin:${PATH} \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LEADBUS_SERVICE=${SERVICE}
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/leadbus/bin/alive"]
# Without an argument: `run`.
ENTRYPOINT ["/opt/leadbus/bin/service"]
