"""fastwsgi, WSGI: PORT APP."""

import importlib.metadata
import sys
import types

from benchmarks.http.servers.wsgi_apps import APPS

# Its version is asked of pkg_resources, which setuptools has no more.
sys.modules["pkg_resources"] = types.SimpleNamespace(
    get_distribution=importlib.metadata.distribution
)

import fastwsgi  # noqa: E402

fastwsgi.server.max_content_length = 64 * 1024 * 1024
fastwsgi.run(APPS[sys.argv[2]], host="127.0.0.1", port=int(sys.argv[1]), loglevel=0)
