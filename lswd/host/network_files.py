"""The files of ``system32\\drivers\\etc``, which Winsock reads: services, protocol, networks, hosts.

Source: IANA "Service Name and Transport Protocol Port Number Registry" and "Protocol Numbers".
"""

from __future__ import annotations

import os

_SERVICES = (
    "echo 7/tcp", "echo 7/udp", "discard 9/tcp sink null", "discard 9/udp sink null", "systat 11/tcp users",
    "daytime 13/tcp", "daytime 13/udp", "qotd 17/tcp quote", "qotd 17/udp quote", "chargen 19/tcp ttytst source",
    "chargen 19/udp ttytst source", "ftp-data 20/tcp", "ftp 21/tcp", "ssh 22/tcp", "telnet 23/tcp", "smtp 25/tcp mail",
    "time 37/tcp timserver", "time 37/udp timserver", "nameserver 42/tcp name", "nicname 43/tcp whois",
    "domain 53/tcp", "domain 53/udp", "bootps 67/udp dhcps", "bootpc 68/udp dhcpc", "tftp 69/udp", "gopher 70/tcp",
    "finger 79/tcp", "http 80/tcp www www-http", "kerberos 88/tcp krb5", "kerberos 88/udp krb5", "pop3 110/tcp",
    "sunrpc 111/tcp rpcbind portmap", "sunrpc 111/udp rpcbind portmap", "auth 113/tcp ident", "nntp 119/tcp usenet",
    "ntp 123/udp", "epmap 135/tcp loc-srv", "epmap 135/udp loc-srv", "netbios-ns 137/tcp nbname",
    "netbios-ns 137/udp nbname", "netbios-dgm 138/udp nbdatagram", "netbios-ssn 139/tcp nbsession",
    "imap 143/tcp imap4",
    "snmp 161/udp", "snmptrap 162/udp snmp-trap", "bgp 179/tcp", "irc 194/tcp", "ldap 389/tcp", "https 443/tcp MCom",
    "https 443/udp MCom", "microsoft-ds 445/tcp", "microsoft-ds 445/udp", "kpasswd 464/tcp", "kpasswd 464/udp",
    "isakmp 500/udp ike", "exec 512/tcp", "login 513/tcp", "cmd 514/tcp shell", "syslog 514/udp",
    "printer 515/tcp spooler", "router 520/udp route routed", "submission 587/tcp", "ipp 631/tcp", "ldaps 636/tcp",
    "ftps-data 989/tcp", "ftps 990/tcp", "imaps 993/tcp", "pop3s 995/tcp", "socks 1080/tcp",
    "ms-sql-s 1433/tcp", "ms-sql-m 1434/udp", "radius 1812/udp", "radacct 1813/udp", "nfsd 2049/tcp nfs",
    "nfsd 2049/udp nfs", "mysql 3306/tcp", "ms-wbt-server 3389/tcp", "svn 3690/tcp", "sip 5060/tcp", "sip 5060/udp",
    "mdns 5353/udp", "postgresql 5432/tcp", "http-alt 8080/tcp", "git 9418/tcp",
)  # fmt: skip
_PROTOCOLS = (
    "ip 0 IP", "icmp 1 ICMP", "igmp 2 IGMP", "ggp 3 GGP", "ipv4 4 IPv4", "tcp 6 TCP", "egp 8 EGP", "pup 12 PUP",
    "udp 17 UDP", "hmp 20 HMP", "xns-idp 22 XNS-IDP", "rdp 27 RDP", "ipv6 41 IPv6", "ipv6-route 43 IPv6-Route",
    "ipv6-frag 44 IPv6-Frag", "esp 50 ESP", "ah 51 AH", "ipv6-icmp 58 IPv6-ICMP", "ipv6-nonxt 59 IPv6-NoNxt",
    "ipv6-opts 60 IPv6-Opts", "rvd 66 RVD", "sctp 132 SCTP", "udplite 136 UDPLite",
)  # fmt: skip
FILES = {
    "services": _SERVICES,
    "protocol": _PROTOCOLS,
    "networks": ("loopback 127",),
    "hosts": ("127.0.0.1 localhost", "::1 localhost"),
}


def write_network_files(directory: str) -> None:
    """Make those files that are missing in a host directory.

    Raises:
        OSError: they cannot be made.
    """
    there = {name.lower() for name in os.listdir(directory)}
    for name, lines in FILES.items():
        if name not in there:
            with open(f"{directory}/{name}", "x", encoding="ascii", newline="\r\n") as file:
                file.write("".join(f"{line}\n" for line in lines))
