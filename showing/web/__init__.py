"""Play and watch games in the browser: a page served on this machine, for this machine only.

`server.serve` starts it. `app` answers the page's requests with what `rooms` keeps (one game per tab) and
`view` describes; `guard` refuses what comes from elsewhere. `assets/` is the page: HTML, CSS and JavaScript
modules as the browser takes them, without a build step and without anything from another host.
"""

PORT = 8000
"""Where the page is served if nothing else is asked for."""
MOST_SIMULATIONS = 5000
"""Per move, in the page: more take longer than a person waits, and their trees are large."""
