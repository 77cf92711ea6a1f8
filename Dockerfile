# The load generator as an image: `locust`, `loadgen` and the locustfiles. Nothing is installed when it starts.
#   docker build -t registry.example.com/milvus-loadgen:0.2.0 .        (buildah and podman build it as well)
# BASE_IMAGE: any with Python 3.11 or newer as python3, with venv and pip.
# VERSION: what the image says of itself; empty is the release that pyproject.toml names.
ARG BASE_IMAGE=docker.io/library/python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /src
# What is needed first, so that a change of the code does not fetch it all again.
COPY pyproject.toml constraints.txt ./
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /build && /build/bin/pip install --constraint constraints.txt setuptools setuptools-scm \
    && python3 -m venv --without-pip /opt/loadgen/venv \
    && /build/bin/python -c 'import tomllib; \
        project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        print(*project["dependencies"], *project["optional-dependencies"]["datasets"], \
        *project["optional-dependencies"]["uvloop"], *project["optional-dependencies"]["rag"], \
        *project["optional-dependencies"]["otel"], *project["optional-dependencies"]["object-storage"], sep="\n")' > /requirements.txt \
    && /build/bin/pip --python /opt/loadgen/venv/bin/python install --only-binary :all: --constraint constraints.txt \
        --requirement /requirements.txt
COPY LICENSE README.md setup.py ./
COPY loadgen loadgen
COPY locustfiles locustfiles
ARG VERSION=""
RUN SETUPTOOLS_SCM_PRETEND_VERSION="$VERSION" /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/loadgen/venv/bin/python install --no-deps --compile /wheels/*.whl

FROM ${BASE_IMAGE}
COPY --from=build /opt/loadgen/venv /opt/loadgen/venv
COPY locustfiles /opt/loadgen/locustfiles
# What writes, writes below /tmp; the root file system may be read-only. Output is not held back, and no byte code is
# looked for where it cannot be written. LOCUST_SKIP_MONKEY_PATCH is not set: `locust` would save a second to start in, and
# a locustfile that cannot be parsed would end in a traceback and 1, as gevent tells us of the start only where it patches.
ENV PATH=/opt/loadgen/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/cache \
    MPLCONFIGDIR=/tmp/matplotlib
# A folder for the record that the user of the image may write to, where no volume is mounted; so may any user of group 0,
# as OpenShift runs it.
RUN mkdir /record && chown 65532:0 /record && chmod 775 /record
WORKDIR /tmp
USER 65532:65532
EXPOSE 5557 8089 9646
ENTRYPOINT ["locust"]
CMD ["--locustfile", "/opt/loadgen/locustfiles/search.py"]
