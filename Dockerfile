# The image mcpgw/mcp-gateway, built by `make image`. Runs as root because the engine's socket belongs to root.
# BASE is any Linux image with glibc and a python3 of 3.11 to 3.13.
ARG BASE=python:3.13-slim
FROM ${BASE}
COPY mcpgw.pyz /mcpgw.pyz
ENV DOCKER_MCP_IN_CONTAINER=1 MCPGW_CACHE=/var/cache/mcpgw
# Unpacked and compiled once, here: a container that starts has nothing left to do, also with a read-only root and as
# another user.
RUN python3 /mcpgw.pyz version \
    && python3 -m compileall -q -j 0 "$MCPGW_CACHE" \
    && chmod -R a+rX "$MCPGW_CACHE"
EXPOSE 8811
ENTRYPOINT ["python3", "/mcpgw.pyz"]
