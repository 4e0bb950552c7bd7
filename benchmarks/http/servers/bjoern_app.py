"""bjoern, WSGI: PORT APP."""

import sys

import bjoern

from benchmarks.http.servers.wsgi_apps import APPS

bjoern.run(APPS[sys.argv[2]], "127.0.0.1", int(sys.argv[1]))
