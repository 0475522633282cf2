//! Bluetooth, as BlueZ's headers have it.
//!
//! CPython has these only where those headers were installed when it was built. The numbers are the kernel's
//! interface and do not depend on them.

use super::Table;

/// Protocols, levels and kinds of address.
///
/// Numbers: BlueZ's `bluetooth/bluetooth.h`.
pub(super) const BLUETOOTH: Table = table![
    AF_BLUETOOTH,
    BDADDR_BREDR = 0,
    BDADDR_LE_PUBLIC = 1,
    BDADDR_LE_RANDOM = 2,
    BTPROTO_HCI = 1,
    BTPROTO_L2CAP = 0,
    BTPROTO_RFCOMM = 3,
    BTPROTO_SCO = 2,
    SOL_BLUETOOTH,
    SOL_HCI = 0,
    SOL_L2CAP = 6,
    SOL_RFCOMM = 18,
    SOL_SCO = 17,
];

/// The host controller interface.
///
/// Numbers: BlueZ's `bluetooth/hci.h`.
pub(super) const HCI: Table = table![
    HCI_CHANNEL_CONTROL = 3,
    HCI_CHANNEL_LOGGING = 4,
    HCI_CHANNEL_MONITOR = 2,
    HCI_CHANNEL_RAW = 0,
    HCI_CHANNEL_USER = 1,
    HCI_DATA_DIR = 1,
    HCI_DEV_NONE = 0xffff,
    HCI_FILTER = 2,
    HCI_TIME_STAMP = 3,
];

/// Link modes of L2CAP.
///
/// Numbers: BlueZ's `bluetooth/l2cap.h`.
pub(super) const L2CAP: Table = table![
    L2CAP_LM = 3,
    L2CAP_LM_AUTH = 2,
    L2CAP_LM_ENCRYPT = 4,
    L2CAP_LM_MASTER = 1,
    L2CAP_LM_RELIABLE = 16,
    L2CAP_LM_SECURE = 32,
    L2CAP_LM_TRUSTED = 8,
];

/// Options at the level `SOL_BLUETOOTH` and their values.
///
/// Numbers: BlueZ's `bluetooth/bluetooth.h`.
pub(super) const OPTIONS: Table = table![
    BT_CHANNEL_POLICY = 10,
    BT_CHANNEL_POLICY_BREDR_ONLY = 0,
    BT_CHANNEL_POLICY_BREDR_PREFERRED = 1,
    BT_CODEC = 19,
    BT_DEFER_SETUP = 7,
    BT_FLUSHABLE = 8,
    BT_FLUSHABLE_OFF = 0,
    BT_FLUSHABLE_ON = 1,
    BT_ISO_QOS = 17,
    BT_MODE = 15,
    BT_MODE_BASIC = 0,
    BT_MODE_ERTM = 1,
    BT_MODE_EXT_FLOWCTL = 4,
    BT_MODE_LE_FLOWCTL = 3,
    BT_MODE_STREAMING = 2,
    BT_PHY = 14,
    BT_PHY_BR_1M_1SLOT = 1,
    BT_PHY_BR_1M_3SLOT = 2,
    BT_PHY_BR_1M_5SLOT = 4,
    BT_PHY_EDR_2M_1SLOT = 8,
    BT_PHY_EDR_2M_3SLOT = 0x10,
    BT_PHY_EDR_2M_5SLOT = 0x20,
    BT_PHY_EDR_3M_1SLOT = 0x40,
    BT_PHY_EDR_3M_3SLOT = 0x80,
    BT_PHY_EDR_3M_5SLOT = 0x100,
    BT_PHY_LE_1M_RX = 0x400,
    BT_PHY_LE_1M_TX = 0x200,
    BT_PHY_LE_2M_RX = 0x1000,
    BT_PHY_LE_2M_TX = 0x800,
    BT_PHY_LE_CODED_RX = 0x4000,
    BT_PHY_LE_CODED_TX = 0x2000,
    BT_PKT_STATUS = 16,
    BT_POWER = 9,
    BT_POWER_FORCE_ACTIVE_OFF = 0,
    BT_POWER_FORCE_ACTIVE_ON = 1,
    BT_RCVMTU = 13,
    BT_SECURITY = 4,
    BT_SECURITY_FIPS = 4,
    BT_SECURITY_HIGH = 3,
    BT_SECURITY_LOW = 1,
    BT_SECURITY_MEDIUM = 2,
    BT_SECURITY_SDP = 0,
    BT_SNDMTU = 12,
    BT_VOICE = 11,
    BT_VOICE_CVSD_16BIT = 0x60,
    BT_VOICE_TRANSPARENT = 3,
    BT_VOICE_TRANSPARENT_16BIT = 0x63,
];
