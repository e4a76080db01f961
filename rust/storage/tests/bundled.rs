//! Files by the HDF5 that h5py brings, of the newest version.

const LIBRARY: &str = "bundled";
mod files;
