# The image for `container_image` in azure_config.py: tasks of Azure Batch run in it.
#
#   docker build -t my.azurecr.io/pyveg:2 .
#   docker push my.azurecr.io/pyveg:2
#
# With other extras, for nodes that score images or train models:
#
#   docker build --build-arg EXTRAS=azure,score,train -t my.azurecr.io/pyveg-train:2 .
FROM python:3.12-slim

ARG EXTRAS=azure

COPY . /src
RUN pip install --no-cache-dir "/src[${EXTRAS}]" && rm -rf /src

# Kernels are compiled here, once, and any user may add what another processor needs.
ENV NUMBA_CACHE_DIR=/var/cache/pyveg
RUN mkdir -p "$NUMBA_CACHE_DIR" \
    && python -c "import numpy; from pyveg.kernels.centrality import feature_vector; feature_vector(numpy.ones((50, 50), dtype=bool))" \
    && chmod -R a+rwX "$NUMBA_CACHE_DIR"
