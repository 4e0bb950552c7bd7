"""freastal, WSGI: the faster of its two interfaces: PORT APP."""

import sys

import freastal

from benchmarks.http.servers.wsgi_apps import APPS

freastal.serve(APPS[sys.argv[2]], host="127.0.0.1", port=int(sys.argv[1]), workers=1)
