//! Address families, and what belongs to one family only.

use super::Table;

/// Sockets between a virtual machine and its host, vsock(7).
///
/// Numbers: `linux/vm_sockets.h`.
pub(super) const VSOCK: Table = table![
    AF_VSOCK,
    IOCTL_VM_SOCKETS_GET_LOCAL_CID = 0x7b9,
    SO_VM_SOCKETS_BUFFER_MAX_SIZE = 2,
    SO_VM_SOCKETS_BUFFER_MIN_SIZE = 1,
    SO_VM_SOCKETS_BUFFER_SIZE = 0,
    VMADDR_CID_ANY,
    VMADDR_CID_HOST,
    VMADDR_CID_LOCAL,
    VMADDR_PORT_ANY,
    VM_SOCKETS_INVALID_VERSION = 0xffff_ffff,
];

/// Transparent inter-process communication.
///
/// Numbers: `linux/tipc.h`.
pub(super) const TIPC: Table = table![
    AF_TIPC,
    SOL_TIPC,
    TIPC_ADDR_ID = 3,
    TIPC_ADDR_NAME = 2,
    TIPC_ADDR_NAMESEQ = 1,
    TIPC_CFG_SRV = 0,
    TIPC_CLUSTER_SCOPE = 2,
    TIPC_CONN_TIMEOUT = 130,
    TIPC_CRITICAL_IMPORTANCE = 3,
    TIPC_DEST_DROPPABLE = 129,
    TIPC_HIGH_IMPORTANCE = 2,
    TIPC_IMPORTANCE = 127,
    TIPC_LOW_IMPORTANCE = 0,
    TIPC_MEDIUM_IMPORTANCE = 1,
    TIPC_NODE_SCOPE = 3,
    TIPC_PUBLISHED = 1,
    TIPC_SRC_DROPPABLE = 128,
    TIPC_SUBSCR_TIMEOUT = 3,
    TIPC_SUB_CANCEL = 4,
    TIPC_SUB_PORTS = 1,
    TIPC_SUB_SERVICE = 2,
    TIPC_TOP_SRV = 1,
    TIPC_WAIT_FOREVER = -1,
    TIPC_WITHDRAWN = 2,
    TIPC_ZONE_SCOPE = 1,
];

/// The kernel's cryptography.
///
/// Numbers: `linux/if_alg.h`.
pub(super) const ALG: Table = table![
    AF_ALG,
    ALG_OP_DECRYPT,
    ALG_OP_ENCRYPT,
    ALG_OP_SIGN = 2,
    ALG_OP_VERIFY = 3,
    ALG_SET_AEAD_ASSOCLEN,
    ALG_SET_AEAD_AUTHSIZE,
    ALG_SET_IV,
    ALG_SET_KEY,
    ALG_SET_OP,
    ALG_SET_PUBKEY = 6,
    SOL_ALG,
];

/// Messages to and from the kernel, netlink(7).
pub(super) const NETLINK: Table = table![
    AF_NETLINK,
    NETLINK_CRYPTO,
    NETLINK_DNRTMSG,
    NETLINK_FIREWALL,
    NETLINK_IP6_FW,
    NETLINK_NFLOG,
    NETLINK_ROUTE,
    NETLINK_USERSOCK,
    NETLINK_XFRM,
];

/// Raw frames, packet(7).
///
/// Numbers: `linux/if_packet.h` and `net/ethernet.h`.
pub(super) const PACKET: Table = table![
    AF_PACKET,
    ETHERTYPE_ARP = 0x806,
    ETHERTYPE_IP = 0x800,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_VLAN = 0x8100,
    ETH_P_ALL,
    PACKET_BROADCAST,
    PACKET_FASTROUTE = 6,
    PACKET_HOST,
    PACKET_LOOPBACK,
    PACKET_MULTICAST,
    PACKET_OTHERHOST,
    PACKET_OUTGOING,
    PF_PACKET,
];

/// Reliable datagram sockets.
pub(super) const RDS: Table = table![AF_RDS, PF_RDS, SOL_RDS,];

/// Families of which the module has only the number, address_families(7).
///
/// Numbers: `bits/socket.h`.
pub(super) const OTHERS: Table = table![
    AF_APPLETALK,
    AF_ASH,
    AF_ATMPVC,
    AF_ATMSVC,
    AF_AX25,
    AF_BRIDGE,
    AF_DECnet,
    AF_ECONET,
    AF_INET,
    AF_INET6,
    AF_IPX,
    AF_IRDA,
    AF_KEY,
    AF_LLC,
    AF_NETBEUI,
    AF_NETROM,
    AF_PPPOX,
    AF_QIPCRTR = 42,
    AF_ROSE,
    AF_ROUTE,
    AF_SECURITY,
    AF_SNA,
    AF_UNIX,
    AF_UNSPEC,
    AF_WANPIPE,
    AF_X25,
];
