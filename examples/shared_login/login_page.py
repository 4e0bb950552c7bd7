"""The one page that every application of the site shows."""

from html import escape

NAMES = ("flask", "fastapi", "django", "guava")


def show(application: str, user: object, token: str, token_name: str = "csrf") -> str:
    """The page of an application: a greeting, or a form to sign in.

    :param user: who is signed in, or None
    :param token: what proves that a form came from this page
    """
    hidden = f'<input type="hidden" name="{token_name}" value="{escape(token)}">'
    if user is None:
        body = f"""<p>Nobody is signed in.</p>
<form method="post" action="/{application}/login">{hidden}
<input name="name" value="anna" autocomplete="username">
<input name="password" type="password" placeholder="guava" autocomplete="current-password">
<button>Sign in</button></form>"""
    else:
        body = f"""<p>Hello, {escape(str(user))}.</p>
<form method="post" action="/{application}/logout">{hidden}<button>Sign out</button></form>
<form method="post" action="/{application}/everywhere">{hidden}<button>Sign out everywhere</button>
</form>"""
    links = " ".join(f'<a href="/{name}/">{name}</a>' for name in NAMES)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{application}</title>
<h1>This is {application}</h1>
{body}
<p>The same login, at {links}</p>
</html>"""
