"""Whom and what a new blog begins with."""

PEOPLE = [("demo", "guava"), ("rosa", "psidium")]

POSTS = [
    (
        "From seed to server",
        """\
This blog is one small process. Its pages come from controllers, its texts from SQLite, and \
its style sheet from a static router; the web server and the event loop under all of it are \
written in C.

A URL becomes a call by convention. `/post/view/1` reaches the method `view` of the class \
`PostController` in the module `controllers/post.py`, with the argument `"1"`. That is all \
there is to learn:

```
class PostController(Page):
    def view(self, number):
        post = store.post(number)
        ...
        return self.render("post/view.html", post=post)
```

No decorators, no tables of routes to keep in step with the code. The table is built at \
start, so a controller that cannot work is an error before the first visitor comes, not \
after.""",
        "demo",
    ),
    (
        "What a guava knows about packaging",
        """\
Cut one open: a thin green skin, pink flesh, and seeds that are each complete in \
themselves. Guava the framework is cut the same way.

There is an event loop, an HTTP server, a router and a session store. Each is a package of \
its own, and each is useful without the others. Put together they are a framework; taken \
apart they are the parts for yours. `examples/own_framework.py`, next to this blog, is such \
a one in fewer than 150 lines.""",
        "rosa",
    ),
    (
        "Sessions that mind their own business",
        """\
Look at the cookies of this page: if you have only read, there are none. A session is loaded \
when an action touches it, stored when it was changed, and its cookie is sent only when \
there is something to remember.

Sign in (the name is `demo`, the password `guava`) and the session gets a new id, so that an \
id which somebody slipped you before is worth nothing after. Sign out and it is gone from \
the store, not only from your browser.

Then try to write a post with a <script> in it. It will be shown as what it is: text.""",
        "demo",
    ),
]
