#!/usr/bin/env python3
"""One Redis, reached and followed in every way: host name, IPv6, socket, account, database, TLS by a
tunnel; tracking, notifications or neither; slow, silent and cut links; the page's own examples."""

import os
import re
import shutil
import socket

from lib import checks, sip
from lib.calls import expect_fate, fate_within
from lib.checks import case, check, equal, wait_for
from lib.daemon import CALLEE, CALLER, Daemon, trunk
from lib.redis import Redis
from lib.sipp import Traffic
from lib.site import Process, Site
from lib.tcp_proxy import TcpProxy

LISTED = "+8613900000001"
CLEAN = "+8613911112222"
PAGE = os.path.join(checks.TOP, "docs", "redis.md")


def start(site, **reputation):
    return Daemon(site, **Traffic.settings(site, trunk),
                  reputation={"store": "redis", "reply_timeout": "1s", "connect_timeout": "1s",
                              **reputation})


def state(daemon):
    return daemon.status()["reputation"]


def follows(daemon, text, seconds=5):
    return wait_for(lambda: state(daemon)["state"] == "following", seconds, text) or \
        print(f"    {state(daemon)}")


def page_block(word):
    """The fenced block of docs/redis.md that holds a word."""
    with open(PAGE, encoding="utf-8") as page:
        blocks = re.findall(r"```\w*\n(.*?)```", page.read(), re.S)
    return next(block for block in blocks if word in block)


def change_is_followed(daemon, redis, a, b, text, seconds=1, write=None):
    write = write or redis
    write("HSET", f"rf:num:{CLEAN}", "list", "block")
    good = fate_within(daemon, CLEAN, a, b, 603, seconds, f"{text}: HSET blocks")
    write("DEL", f"rf:num:{CLEAN}")
    return fate_within(daemon, CLEAN, a, b, "passed", seconds, f"{text}: DEL frees") and good


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def free_port(host="127.0.0.1", family=socket.AF_INET):
    with socket.create_server((host, 0), family=family) as taken:
        return taken.getsockname()[1]


@case("addresses")
def addresses():
    with Site() as site:
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        ways = [("a host name", "127.0.0.1", "localhost", free_port())]
        if has_ipv6():
            ways.append(("IPv6", "::1", "::1", free_port("::1", socket.AF_INET6)))
        for text, bound, host, port in ways:
            redis = Redis(site, f"redis-{port}", port, True, bound)
            daemon = start(site, host=host, port=port)
            follows(daemon, f"{text}: followed")
            change_is_followed(daemon, redis, a, b, text)
            check(state(daemon)["tracking"].startswith("client-side caching"), "by tracking",
                  state(daemon))
            daemon.stop()
            redis.kill()
        daemon = start(site, host="no-such-host.invalid", saved=site.path("saved"))
        wait_for(lambda: "no-such-host.invalid" in state(daemon).get("error", ""), 15,
                 "a name that nobody knows is named in the status")
        expect_fate(daemon, CLEAN, a, b, "passed", "and calls pass")
        daemon.stop()


def account(redis, name, rights):
    redis("ACL", "SETUSER", name, "on", ">secret", *rights.split())


@case("account, database, password file")
def accounts():
    with Site() as site:
        redis = Redis(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        words = page_block("ACL SETUSER ringfence").split()
        redis(*[">secret" if word == ">SECRET" else word for word in words])
        site.write("password", "secret\n")
        daemon = start(site, socket=redis.path, username="ringfence", database=3,
                       password_file=site.path("password"))
        follows(daemon, "the account of docs/redis.md, its password in a file, database 3: followed")

        def write(*command):
            return redis.pipeline([("SELECT", 3), command])[-1]

        change_is_followed(daemon, redis, a, b, "database 3", write=write)
        redis("HSET", f"rf:num:{CLEAN}", "list", "block")
        expect_fate(daemon, CLEAN, a, b, "passed", "another database's keys do not count")
        write("HSET", f"rf:num:{LISTED}", "list", "block")
        fate_within(daemon, LISTED, a, b, 603, 1, "a number is listed")
        redis("ACL", "SETUSER", "ringfence", "resetpass", ">other")
        redis("CLIENT", "KILL", "USER", "ringfence")
        wait_for(lambda: "WRONGPASS" in state(daemon).get("error", ""), 5,
                 "the password changed: the status says so")
        expect_fate(daemon, LISTED, a, b, 603, "the number is still refused")
        redis("ACL", "SETUSER", "ringfence", "resetpass", ">secret")
        follows(daemon, "changed back: followed again", 10)
        daemon.stop()
        site.write("password", "\n")
        status, output = site.run([checks.program("ringfenced"), "--config", daemon.config_path])
        check(status not in (0, None) and "first line is empty" in output,
              "an empty password file is refused at start", output)


@case("TLS through stunnel")
def tls():
    if shutil.which("stunnel4") is None or shutil.which("openssl") is None:
        raise checks.Skip("stunnel4 is not installed")
    with Site() as site:
        for command in (
                f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout {site.path('ca.key')} "
                f"-out {site.path('ca.crt')}",
                f"req -newkey rsa:2048 -nodes -subj /CN=redis.example.net "
                f"-keyout {site.path('redis.key')} -out {site.path('redis.csr')}",
                f"x509 -req -days 2 -in {site.path('redis.csr')} -CA {site.path('ca.crt')} "
                f"-CAkey {site.path('ca.key')} -CAcreateserial -out {site.path('redis.crt')}"):
            status, output = site.run(["openssl", *command.split()])
            if status != 0:
                raise checks.Failure(output)
        port = free_port(site.address(1))
        redis = Redis(site, "redis", 0, True, site.address(1),
                      ["--tls-port", str(port), "--bind", site.address(1), "--tls-auth-clients",
                       "no", "--tls-cert-file", site.path("redis.crt"), "--tls-key-file",
                       site.path("redis.key"), "--tls-ca-cert-file", site.path("ca.crt")])
        text = page_block("verifyChain")
        changes = {"/etc/ssl/certs/redis-ca.crt": site.path("ca.crt"),
                   "redis.example.net:6380": f"{site.address(1)}:{port}",
                   "/run/ringfence/redis.sock": site.path("tunnel.sock"),
                   "/var/run/stunnel4/redis.pid": site.path("stunnel.pid")}
        for ours, theirs in changes.items():
            check(ours in text, f"the page's tunnel has {ours}")
            text = text.replace(ours, theirs)
        config = site.write("stunnel.conf", "foreground = yes\n" + text)
        tunnel = Process(site, "stunnel", ["stunnel4", config])
        wait_for(lambda: os.path.exists(site.path("tunnel.sock")), 5)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        daemon = start(site, socket=site.path("tunnel.sock"))
        follows(daemon, "TLS through the tunnel of docs/redis.md: followed")
        traffic = Traffic(site, daemon)
        change_is_followed(daemon, redis, a, b, "TLS")
        tunnel.kill()
        wait_for(lambda: not state(daemon)["connected"], 5, "the tunnel dies: noticed")
        os.unlink(site.path("tunnel.sock"))
        tunnel = Process(site, "stunnel", ["stunnel4", config])
        follows(daemon, "it is back: followed again", 10)
        change_is_followed(daemon, redis, a, b, "TLS again")
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()


RIGHTS = "~rf:* resetchannels -@all +ping +select +scan +hmget +pttl +dbsize"


@case("tracking forbidden")
def forbidden():
    with Site() as site:
        redis = Redis(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        redis("CONFIG", "SET", "notify-keyspace-events", "KA")
        words = page_block("ACL SETUSER notified").split()
        redis(*[">secret" if word == ">SECRET" else word for word in words])
        account(redis, "blind", RIGHTS + " &__keyspace@0__:rf:* +psubscribe")
        account(redis, "deaf", RIGHTS)
        daemon = start(site, socket=redis.path, username="notified", password="secret")
        follows(daemon, "CLIENT TRACKING is forbidden: followed")
        traffic = Traffic(site, daemon)
        check(state(daemon)["tracking"].startswith("keyspace notifications"),
              "by keyspace notifications, says the status", state(daemon))
        check("CLIENT TRACKING refused" in daemon.log() or "CLIENT ID refused" in daemon.log(),
              "the log says why")
        change_is_followed(daemon, redis, a, b, "notifications")
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()

        daemon = start(site, socket=redis.path, username="blind", password="secret",
                       compare_interval="500ms")
        follows(daemon, "CONFIG is forbidden too: followed")
        check("may be off" in state(daemon)["tracking"], "the status says what is not known",
              state(daemon))
        change_is_followed(daemon, redis, a, b, "notifications that may be off")
        redis("CONFIG", "SET", "notify-keyspace-events", "")
        change_is_followed(daemon, redis, a, b, "notifications that are off", 3)
        daemon.stop()

        daemon = start(site, socket=redis.path, username="deaf", password="secret",
                       compare_interval="300ms")
        follows(daemon, "nothing can be subscribed: followed")
        check(state(daemon)["tracking"].startswith("none"), "by comparing, says the status",
              state(daemon))
        change_is_followed(daemon, redis, a, b, "comparing", 2)
        redis("HSET", f"rf:num:{LISTED}", "list", "block")
        fate_within(daemon, LISTED, a, b, 603, 2, "a number is listed")
        redis("FLUSHALL")
        fate_within(daemon, LISTED, a, b, "passed", 2, "FLUSHALL is followed")
        daemon.stop()

        daemon = start(site, socket=redis.path, username="deaf", password="secret",
                       follow="tracking")
        wait_for(lambda: "CLIENT" in state(daemon).get("error", ""), 5,
                 "follow: tracking takes nothing else and says why")
        daemon.stop()


@case("killed, empty, slow, cut")
def faults():
    with Site() as site:
        redis = Redis(site, port=6379)
        redis.pipeline([("HSET", f"rf:num:+86138{i:08d}", "score", 90, "list", "block")
                        for i in range(2000)])
        redis("HSET", f"rf:num:{LISTED}", "list", "block")
        proxy = TcpProxy(site, (site.address(51), 7000), (site.address(1), 6379))
        daemon = start(site, host=site.address(51), port=7000)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        follows(daemon, "followed")
        traffic = Traffic(site, daemon)
        proxy.delay = 0.02
        change_is_followed(daemon, redis, a, b, "20 ms slow")
        proxy.delay = 2
        redis("HSET", f"rf:num:{CLEAN}", "list", "block")
        expect_fate(daemon, LISTED, a, b, 603, "2 s slow: a listed number is refused")
        wait_for(lambda: not state(daemon)["connected"], 8, "slower than reply_timeout: given up")
        proxy.delay = 0
        fate_within(daemon, CLEAN, a, b, 603, 12, "fast again: what changed meanwhile is known")
        proxy.cut()
        wait_for(lambda: not state(daemon)["connected"], 3, "the link is cut")
        redis("DEL", f"rf:num:{CLEAN}")
        proxy.open()
        fate_within(daemon, CLEAN, a, b, "passed", 8, "healed: what changed meanwhile is known")
        redis.kill()
        wait_for(lambda: not state(daemon)["connected"], 3, "kill -9")
        expect_fate(daemon, LISTED, a, b, 603, "a listed number is refused")
        redis.start()
        wait_for(lambda: state(daemon)["state"] == "held", 12, "restarted empty: held")
        expect_fate(daemon, LISTED, a, b, 603, "and still refused")
        traffic.end("{} calls meanwhile: none failed")
        daemon.stop()


@case("the examples of docs/redis.md")
def examples():
    if shutil.which("redis-cli") is None:
        raise checks.Skip("redis-cli is not installed")
    with Site() as site:
        redis = Redis(site)
        a, b = sip.Endpoint(site, CALLER), sip.Endpoint(site, CALLEE)
        daemon = start(site, socket=redis.path)
        follows(daemon, "followed")
        script = page_block("# Block a number for 30 days.").replace("redis-cli", f"redis-cli -s {redis.path}")
        for line in script.splitlines():
            if not line or line.startswith("#"):
                continue
            status, output = site.run(["sh", "-c", line])
            if not check(status == 0 and "ERR" not in output, line.split(redis.path)[1].strip(),
                         output):
                continue
            if "HGETALL" in line:
                expect_fate(daemon, "+8613800138000", a, b, 603, "the blocked number is refused")
                expect_fate(daemon, "+8617012345678", a, b, "passed", "the allowed one passes")
        fate_within(daemon, "+8613800138000", a, b, "passed", 1, "taken back, it passes")
        equal(sum(state(daemon)["skipped"].values()), 0, "no key was skipped")
        desk = page_block("ACL SETUSER desk").split()
        redis(*[">secret" if word == ">SECRET" else word for word in desk])
        site.write("secret", "secret")
        status, output = daemon.cli("number", "set", CLEAN, "--list", "block", "--redis-user",
                                    "desk", "--redis-password-file", site.path("secret"))
        equal(status, 0, "the account for writing suffices for ringfence number")
        fate_within(daemon, CLEAN, a, b, 603, 1, "which blocks")
        daemon.stop()


checks.main(limit=120)
