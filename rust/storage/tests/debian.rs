//! Files by the HDF5 of Debian, 1.10.

const LIBRARY: &str = "debian";
mod files;
