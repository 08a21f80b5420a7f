"""Kamailio (Debian: kamailio) as a neighbour: a stateful proxy that record-routes."""

import os
import shutil
import socket

from . import checks, sip
from .site import Process

# One child per address, so that it keeps the order of what it gets.
_CONFIG = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp={disable_tcp}
auto_aliases=no
dns=no
rev_dns=no
use_dns_failover=off
server_signature=no
listen=udp:{address}:5060
{listen_tcp}
loadmodule "pv.so"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "sl.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
{modules}
modparam("tm", "fr_timer", 2000)
modparam("tm", "fr_inv_timer", 60000)
modparam("tm", "wt_timer", 1000)

request_route {{
	if (!mf_process_maxfwd_header("10")) {{
		sl_send_reply("483", "Too Many Hops");
		exit;
	}}
	if (is_method("CANCEL")) {{
		if (t_check_trans()) t_relay();
		exit;
	}}
	if (has_totag()) {{
		if (loose_route()) t_relay();
		else if (is_method("ACK")) t_check_trans();
		else sl_send_reply("404", "Not Here");
		exit;
	}}
	if (is_method("OPTIONS") && $rU == $null) {{
		sl_send_reply("200", "OK");
		exit;
	}}
	if (!t_newtran()) exit;
	record_route();
	{route}
	if (!t_relay()) t_reply("500", "Relay Failed");
}}
{more}
"""

# An SBC's logic: ask first, then route or drop by the answer alone. With a 302 the Contact says where
# to, and the headers that its URI carries (RFC 3261 section 19.1.1) go along; 404 and 503 mean the
# route of its own, and so does silence (408); anything else goes back to the caller.
_ASKING = """
onreply_route[HEARD] {{
	if (status == "302") $avp(contact) = $(ct{{nameaddr.uri}});
}}
branch_route[TAGGED] {{
	if ($avp(score) != $null) append_hf("X-Score: $avp(score)\r\n");
	if ($avp(reason) != $null) append_hf("X-Reason: $avp(reason)\r\n");
}}
failure_route[TOLD] {{
	if (t_is_canceled()) exit;
	if (t_check_status("302") && $avp(contact) =~ "\\?") {{
		$var(carried) = $(avp(contact){{s.select,1,?}});
		$avp(score) = $(var(carried){{param.value,X-Ringfence-Score,&}}{{s.unescape.param}});
		$avp(reason) = $(var(carried){{param.value,X-Ringfence-Reason,&}}{{s.unescape.param}});
		$ru = $(avp(contact){{s.select,0,?}});
		$du = $null;
	}} else if (t_check_status("302")) {{
		$du = $null;
		if (!get_redirects("1")) exit;
	}} else if (t_check_status("404|408|503")) {{
		$du = "sip:{onward}";
	}} else {{
		exit;
	}}
	t_on_branch("TAGGED");
	t_relay();
	exit;
}}
"""


def asking(whom, onward):
    """What makes a Kamailio ask `whom` (host:port) about each new call; onward: where the calls go
    that it routes itself."""
    return {"route": f'$du = "sip:{whom}"; t_on_reply("HEARD"); t_on_failure("TOLD");',
            "modules": ["acc", "uac_redirect"], "more": _ASKING.format(onward=onward)}


class Kamailio:
    """A running one. route: script lines that set $du of a new request; modules and more: what those
    need, further routes."""

    def __init__(self, site, address, route, transport="udp", modules=(), more="",
                 name="kamailio"):
        program = shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise checks.Skip("kamailio is not installed")
        streams = transport != "udp"
        port = 5061 if transport == "tls" else 5060
        config = site.write(f"{name}.cfg", _CONFIG.format(
            address=address, route=route, more=more,
            modules="\n".join(f'loadmodule "{name}.so"' for name in modules),
            disable_tcp="no" if streams else "yes",
            # Or the kernel would choose where connections come from.
            listen_tcp=(("enable_tls=yes\n" if transport == "tls" else "")
                        + f"listen={transport}:{address}:{port}\n"
                        f"tcp_source_ipv4={address}\ntcp_children=2\n") if streams else ""))
        self.address = (address, 5060)
        # Its children end with it only when it is asked to.
        self.process = Process(site, name, [
            "setpriv", "--pdeathsig", "TERM", program, "-DD", "-E", "-m", "64", "-M", "8",
            "-f", config, "-Y", site.folder, "-P", site.path(f"{name}.pid")])
        if not checks.wait_for(self._answers, 10, every=0.1):
            raise checks.Failure(f"kamailio did not start:\n{self.process.log()[-2000:]}")

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.address[0], 0))
            probe.settimeout(0.3)
            host = probe.getsockname()[1]
            probe.sendto((f"OPTIONS sip:{self.address[0]}:5060 SIP/2.0\r\n"
                          f"Via: SIP/2.0/UDP {self.address[0]}:{host};branch={sip.unique('z9hG4bK')}"
                          f"\r\nMax-Forwards: 5\r\nFrom: <sip:probe@test>;tag=1\r\n"
                          f"To: <sip:{self.address[0]}>\r\nCall-ID: {sip.unique('probe')}\r\n"
                          "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").encode(), self.address)
            try:
                return probe.recv(2000).startswith(b"SIP/2.0 200")
            except OSError:
                return False
