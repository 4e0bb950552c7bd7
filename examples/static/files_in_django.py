"""The files of a folder under /static of a Django project, sent by guava-router.

gunicorn files_in_django:application
"""

from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from guava_router import StaticRouter

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="for an example only")


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the home page is Django's")


urlpatterns = [path("", home)]

# In a project of your own: STATIC_URL and STATIC_ROOT, and names with a digest by
# ManifestStaticFilesStorage, which are then kept for a year.
files = StaticRouter("/static", Path(__file__).parent / "files", precompressed=True)
application = files.as_wsgi(otherwise=get_wsgi_application())
