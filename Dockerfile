# One image for the operator and for the runner. Any base with Python 3.11 or later and its venv module will do.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
# pip serves the environment from outside, so that the environment itself has no installer in it.
RUN python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/timewright
COPY requirements/ requirements/
RUN /opt/tools/bin/pip install --require-hashes --requirement requirements/build.txt \
    && /opt/tools/bin/pip --python /opt/timewright/bin/python3 install --no-compile --require-hashes \
       --requirement requirements/operator.txt
COPY . .
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/tools/bin/pip --python /opt/timewright/bin/python3 install --no-compile --no-deps /wheels/*.whl \
    # The root file system is read-only, so nothing can be compiled later; and every run starts a new process. The Kubernetes
    # client's thousands of models are left as they are: they are loaded one by one, if at all, and would double its size.
    && python3 -m compileall -q --invalidation-mode unchecked-hash \
       -x "kubernetes/(aio/)?client/(api|models)/" /opt/timewright/lib

FROM ${PYTHON_IMAGE}
ARG VERSION=dev
LABEL org.opencontainers.image.title="Timewright" \
      org.opencontainers.image.description="Kubernetes operator and scheduling runtime: operator and runner" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# Programs ask who they are; a user without a name is an error to some of them.
RUN echo "timewright:x:65532:65532:Timewright:/nonexistent:/usr/sbin/nologin" >> /etc/passwd \
    && echo "timewright:x:65532:" >> /etc/group
COPY --from=build /opt/timewright /opt/timewright
ENV PATH="/opt/timewright/bin:${PATH}" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Numeric, so that the kubelet can verify runAsNonRoot.
USER 65532:65532
WORKDIR /
ENTRYPOINT ["timewright"]
