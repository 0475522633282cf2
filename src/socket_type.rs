pub(crate) mod address;
pub(crate) mod ancillary;
