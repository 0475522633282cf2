"""Shared by the TLS suites: certificates, contexts, and TLS pairs on loopback.

`certificates/make.sh` says how the certificates were made; `server.pem` is for localhost, 127.0.0.1 and ::1, `other.pem` for
other.test, `client.pem` for clients.
"""

import os
import socket
import ssl

from support import HERE, SocketTestCase, Worker

CERTIFICATES = os.path.join(HERE, "certificates")
AUTHORITY = os.path.join(CERTIFICATES, "authority.pem")
SERVER = os.path.join(CERTIFICATES, "server.pem")
OTHER = os.path.join(CERTIFICATES, "other.pem")
CLIENT = os.path.join(CERTIFICATES, "client.pem")


def server_context(certificate=SERVER):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def client_context(verify=True):
    """Trusts the tests' authority and checks the name or, without `verify`, takes whatever comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.load_verify_locations(AUTHORITY)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsTestCase(SocketTestCase):
    def tls_pair(self, client=None, server=None, hostname="localhost", sockets=None):
        """(client, server): two connected SSLSockets in blocking mode, after the handshake."""
        left, right = sockets or self.tcp_pair()
        accepting = Worker((server or server_context()).wrap_socket, right, server_side=True)
        connected = self.keep((client or client_context()).wrap_socket(left, server_hostname=hostname))
        return connected, self.keep(accepting.result())
