"""A terminal: tmux with a server of its own."""

import itertools
import shlex
import shutil
import subprocess

from . import checks


_numbers = itertools.count(1)


class Terminal:
    """Runs a command on a screen of that size."""

    def __init__(self, site, command, columns, rows, locale="C.UTF-8"):
        if shutil.which("tmux") is None:
            raise checks.Skip("tmux is not installed")
        # A name of its own: the server of the one before may still be ending.
        self.socket = site.path(f"tmux-{next(_numbers)}")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows,
                  f"env LC_ALL={locale} {shlex.join(command)}; echo status $?; cat")
        # The session goes on with the size that it has, whoever looks at it.
        self.tmux("set-option", "-g", "window-size", "manual")

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-u", "-S", self.socket, *map(str, arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=10 * checks.SLOW, check=False)
        return done.stdout.decode("utf-8", "replace")

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def press(self, *keys):
        """Keys by tmux's names: Enter, Escape, Up, Tab, BTab, Space, or characters."""
        for key in keys:
            self.tmux("send-keys", key)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", columns, "-y", rows)

    def shows(self, *texts, seconds=5):
        return checks.wait_for(lambda: all(text in self.screen() for text in texts), seconds)

    def check(self, text, *texts, without=(), seconds=5):
        """A check that the screen comes to show all texts, and none of `without`."""
        def as_wanted():
            screen = self.screen()
            return all(part in screen for part in texts) and \
                not any(part in screen for part in without)
        return checks.check(checks.wait_for(as_wanted, seconds), text, self.screen())

    def close(self):
        self.tmux("kill-server")
