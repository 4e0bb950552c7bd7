"""What gunicorn imports; the app's name comes by the environment."""

import os

from benchmarks.http.servers.wsgi_apps import APPS

app = APPS[os.environ["BENCHMARK_APP"]]
