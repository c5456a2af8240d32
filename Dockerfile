# SimGame as one image; compose.yaml runs its processes from it. Nothing runs as root.
FROM python:3.12-slim-bookworm

RUN useradd --create-home --uid 1000 simgame && mkdir /app && chown simgame /app
USER simgame
WORKDIR /app

# The packages first: they change less often than the code
COPY --chown=simgame requirements.txt manage.py ./
COPY --chown=simgame simgame/__init__.py simgame/env.py simgame/bundle.py simgame/children.py simgame/supervisor.py simgame/logline.py simgame/
COPY --chown=simgame simgame/bootstrap simgame/bootstrap
COPY --chown=simgame simgame/embedded simgame/embedded
COPY --chown=simgame ops/frontend ops/frontend
RUN python3 manage.py setup

COPY --chown=simgame . .
RUN python3 manage.py setup

VOLUME /app/var
EXPOSE 8000
ENTRYPOINT ["python3", "manage.py"]
# One container that is the whole game, with its embedded services; compose.yaml starts them apart
CMD ["play", "--host", "0.0.0.0", "--port", "8000", "--no-browser"]
