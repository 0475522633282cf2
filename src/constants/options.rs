//! Socket types, options, message flags, and the options of the transport protocols.

use super::Table;

/// Kinds of socket, and the two flags that socket(2) takes beside them.
pub(super) const SOCKET_TYPES: Table = table![
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_RDM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
];

/// Options at the socket level, socket(7). `SO_ORIGINAL_DST` is netfilter's, at the level `SOL_IP`.
pub(super) const SOCKET_OPTIONS: Table = table![
    SOL_SOCKET,
    SOMAXCONN,
    SO_ACCEPTCONN,
    SO_BINDTODEVICE,
    SO_BINDTOIFINDEX,
    SO_BROADCAST,
    SO_DEBUG,
    SO_DOMAIN,
    SO_DONTROUTE,
    SO_ERROR,
    SO_INCOMING_CPU,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_MARK,
    SO_OOBINLINE,
    SO_ORIGINAL_DST,
    SO_PASSCRED,
    SO_PASSSEC,
    SO_PEERCRED,
    SO_PEERSEC,
    SO_PRIORITY,
    SO_PROTOCOL,
    SO_RCVBUF,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SO_SNDBUF,
    SO_SNDLOWAT,
    SO_SNDTIMEO,
    SO_TYPE,
];

/// Flags of send(2) and recv(2), types of ancillary data, directions of shutdown(2).
pub(super) const MESSAGES: Table = table![
    MSG_CMSG_CLOEXEC,
    MSG_CONFIRM,
    MSG_CTRUNC,
    MSG_DONTROUTE,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_ERRQUEUE,
    MSG_FASTOPEN,
    MSG_MORE,
    MSG_NOSIGNAL,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
];

/// TCP, tcp(7).
///
/// Numbers: `linux/tcp.h`.
pub(super) const TCP: Table = table![
    SOL_TCP,
    TCP_CC_INFO,
    TCP_CONGESTION,
    TCP_CORK,
    TCP_DEFER_ACCEPT,
    TCP_FASTOPEN,
    TCP_FASTOPEN_CONNECT,
    TCP_FASTOPEN_KEY,
    TCP_FASTOPEN_NO_COOKIE,
    TCP_INFO,
    TCP_INQ,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_LINGER2,
    TCP_MAXSEG,
    TCP_MD5SIG,
    TCP_MD5SIG_EXT,
    TCP_NODELAY,
    TCP_NOTSENT_LOWAT,
    TCP_QUEUE_SEQ,
    TCP_QUICKACK,
    TCP_REPAIR,
    TCP_REPAIR_OPTIONS,
    TCP_REPAIR_QUEUE,
    TCP_REPAIR_WINDOW,
    TCP_SAVED_SYN,
    TCP_SAVE_SYN,
    TCP_SYNCNT,
    TCP_THIN_DUPACK,
    TCP_THIN_LINEAR_TIMEOUTS,
    TCP_TIMESTAMP,
    TCP_TX_DELAY = 37,
    TCP_ULP,
    TCP_USER_TIMEOUT,
    TCP_WINDOW_CLAMP,
    TCP_ZEROCOPY_RECEIVE,
];

/// UDP and UDP-Lite, udp(7) and udplite(7).
///
/// Numbers: udplite(7), since no header of glibc has them.
pub(super) const UDP: Table = table![SOL_UDP, UDPLITE_RECV_CSCOV = 11, UDPLITE_SEND_CSCOV = 10,];
