//! The functions of HDF5 that are called, as a table of addresses; their C types and constants.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libloading::Library;

/// An identifier of anything that HDF5 has open; negative for a failure.
pub(crate) type Hid = i64;
/// Negative for a failure.
pub(crate) type Herr = c_int;
/// Negative for a failure, 0 for no, positive for yes.
pub(crate) type Htri = c_int;
/// Extents and positions.
pub(crate) type Hsize = u64;

/// One entry of the error stack, as HDF5 shows it to [`Functions::H5Ewalk2`]'s visitor.
#[repr(C)]
pub(crate) struct ErrorEntry {
    class: Hid,
    major: Hid,
    minor: Hid,
    line: c_uint,
    function: *const c_char,
    file: *const c_char,
    pub(crate) description: *const c_char,
}

pub(crate) type ErrorPrinter = Option<unsafe extern "C" fn(Hid, *mut c_void) -> Herr>;
pub(crate) type ErrorVisitor = unsafe extern "C" fn(c_uint, *const ErrorEntry, *mut c_void) -> Herr;
/// Called with each name; what it is told besides is not looked at, since that changed with versions.
pub(crate) type NameVisitor = unsafe extern "C" fn(Hid, *const c_char, *const c_void, *mut c_void) -> Herr;
type Iterate = unsafe extern "C" fn(Hid, c_int, c_int, *mut Hsize, NameVisitor, *mut c_void) -> Herr;
pub(crate) type LinkGuard = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const c_char,
    *const c_char,
    *mut c_uint,
    Hid,
    *mut c_void,
) -> Herr;

pub(crate) const H5F_ACC_RDONLY: c_uint = 0;
pub(crate) const H5F_ACC_RDWR: c_uint = 1;
pub(crate) const H5F_ACC_EXCL: c_uint = 4;
pub(crate) const H5F_SCOPE_LOCAL: c_int = 0;
pub(crate) const H5F_CLOSE_STRONG: c_int = 3;
pub(crate) const H5F_LIBVER_V18: c_int = 1;
pub(crate) const H5F_LIBVER_V110: c_int = 2;
pub(crate) const H5P_DEFAULT: Hid = 0;
pub(crate) const H5S_ALL: Hid = 0;
pub(crate) const H5S_SCALAR: c_int = 0;
pub(crate) const H5S_NULL: c_int = 2;
pub(crate) const H5S_SELECT_SET: c_int = 0;
pub(crate) const H5E_DEFAULT: Hid = 0;
pub(crate) const H5E_WALK_DOWNWARD: c_int = 1;
pub(crate) const H5I_GROUP: c_int = 2;
pub(crate) const H5I_DATASET: c_int = 5;
pub(crate) const H5D_CHUNKED: c_int = 2;
pub(crate) const H5D_VIRTUAL: c_int = 3;
pub(crate) const H5D_FILL_TIME_NEVER: c_int = 1;
pub(crate) const H5Z_FILTER_DEFLATE: c_int = 1;
pub(crate) const H5T_INTEGER: c_int = 0;
pub(crate) const H5T_FLOAT: c_int = 1;
pub(crate) const H5T_STRING: c_int = 3;
pub(crate) const H5T_BITFIELD: c_int = 4;
pub(crate) const H5T_COMPOUND: c_int = 6;
pub(crate) const H5T_ENUM: c_int = 8;
pub(crate) const H5T_COMPLEX: c_int = 11;
pub(crate) const H5T_SGN_2: c_int = 1;
pub(crate) const H5T_CSET_UTF8: c_int = 1;
pub(crate) const H5T_VARIABLE: usize = usize::MAX;
/// Most axes of a dataset.
pub(crate) const H5S_MAX_RANK: usize = 32;

macro_rules! functions {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => {
        /// Addresses; a field has the name of its function.
        #[allow(non_snake_case)]
        pub(crate) struct Functions {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),*) -> $result,)*
            /// `H5Literate2`, or what it was called before 1.12.
            pub(crate) H5Literate: Iterate,
            /// Since 1.10.7.
            pub(crate) H5Pset_file_locking: Option<unsafe extern "C" fn(Hid, bool, bool) -> Herr>,
            /// Of HDF5 2 only.
            pub(crate) H5Tcomplex_create: Option<unsafe extern "C" fn(Hid) -> Hid>,
        }

        impl Functions {
            /// Looks all functions up; the error is the name of one that is missing.
            ///
            /// # Safety
            /// The library is HDF5 from 1.10 to 2, which these types are of, and is never unloaded.
            pub(crate) unsafe fn look_up(library: &Library) -> Result<Functions, &'static str> {
                // SAFETY: the caller's promise; the types above are those of HDF5's headers.
                unsafe {
                    Ok(Functions {
                        $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())
                            .map_err(|_| stringify!($name))?,)*
                        H5Literate: *library.get(b"H5Literate2\0").or_else(|_| library.get(b"H5Literate\0"))
                            .map_err(|_| "H5Literate")?,
                        H5Pset_file_locking: library.get(b"H5Pset_file_locking\0").ok().map(|f| *f),
                        H5Tcomplex_create: library.get(b"H5Tcomplex_create\0").ok().map(|f| *f),
                    })
                }
            }
        }
    };
}

functions! {
    H5open() -> Herr;
    H5free_memory(*mut c_void) -> Herr;
    H5Eget_auto2(Hid, *mut ErrorPrinter, *mut *mut c_void) -> Herr;
    H5Eset_auto2(Hid, ErrorPrinter, *mut c_void) -> Herr;
    H5Ewalk2(Hid, c_int, ErrorVisitor, *mut c_void) -> Herr;
    H5Fcreate(*const c_char, c_uint, Hid, Hid) -> Hid;
    H5Fopen(*const c_char, c_uint, Hid) -> Hid;
    H5Fflush(Hid, c_int) -> Herr;
    H5Fget_filesize(Hid, *mut Hsize) -> Herr;
    H5Fclose(Hid) -> Herr;
    H5Gcreate2(Hid, *const c_char, Hid, Hid, Hid) -> Hid;
    H5Lexists(Hid, *const c_char, Hid) -> Htri;
    H5Ldelete(Hid, *const c_char, Hid) -> Herr;
    H5Oopen(Hid, *const c_char, Hid) -> Hid;
    H5Oclose(Hid) -> Herr;
    H5Iget_type(Hid) -> c_int;
    H5Dcreate2(Hid, *const c_char, Hid, Hid, Hid, Hid, Hid) -> Hid;
    H5Dget_space(Hid) -> Hid;
    H5Dget_type(Hid) -> Hid;
    H5Dget_create_plist(Hid) -> Hid;
    H5Dread(Hid, Hid, Hid, Hid, Hid, *mut c_void) -> Herr;
    H5Dwrite(Hid, Hid, Hid, Hid, Hid, *const c_void) -> Herr;
    H5Acreate2(Hid, *const c_char, Hid, Hid, Hid, Hid) -> Hid;
    H5Aopen(Hid, *const c_char, Hid) -> Hid;
    H5Aexists(Hid, *const c_char) -> Htri;
    H5Adelete(Hid, *const c_char) -> Herr;
    H5Aclose(Hid) -> Herr;
    H5Aget_space(Hid) -> Hid;
    H5Aget_type(Hid) -> Hid;
    H5Aread(Hid, Hid, *mut c_void) -> Herr;
    H5Awrite(Hid, Hid, *const c_void) -> Herr;
    H5Aiterate2(Hid, c_int, c_int, *mut Hsize, NameVisitor, *mut c_void) -> Herr;
    H5Screate(c_int) -> Hid;
    H5Screate_simple(c_int, *const Hsize, *const Hsize) -> Hid;
    H5Sclose(Hid) -> Herr;
    H5Sget_simple_extent_type(Hid) -> c_int;
    H5Sget_simple_extent_ndims(Hid) -> c_int;
    H5Sget_simple_extent_dims(Hid, *mut Hsize, *mut Hsize) -> c_int;
    H5Sselect_hyperslab(Hid, c_int, *const Hsize, *const Hsize, *const Hsize, *const Hsize) -> Herr;
    H5Tcreate(c_int, usize) -> Hid;
    H5Tcopy(Hid) -> Hid;
    H5Tclose(Hid) -> Herr;
    H5Tinsert(Hid, *const c_char, usize, Hid) -> Herr;
    H5Tenum_create(Hid) -> Hid;
    H5Tenum_insert(Hid, *const c_char, *const c_void) -> Herr;
    H5Tget_class(Hid) -> c_int;
    H5Tget_size(Hid) -> usize;
    H5Tget_sign(Hid) -> c_int;
    H5Tget_super(Hid) -> Hid;
    H5Tget_nmembers(Hid) -> c_int;
    H5Tget_member_name(Hid, c_uint) -> *mut c_char;
    H5Tget_member_type(Hid, c_uint) -> Hid;
    H5Tis_variable_str(Hid) -> Htri;
    H5Tset_size(Hid, usize) -> Herr;
    H5Tset_cset(Hid, c_int) -> Herr;
    H5Pcreate(Hid) -> Hid;
    H5Pclose(Hid) -> Herr;
    H5Pset_fclose_degree(Hid, c_int) -> Herr;
    H5Pset_libver_bounds(Hid, c_int, c_int) -> Herr;
    H5Pset_obj_track_times(Hid, bool) -> Herr;
    H5Pset_char_encoding(Hid, c_int) -> Herr;
    H5Pset_elink_cb(Hid, LinkGuard, *mut c_void) -> Herr;
    H5Pset_chunk(Hid, c_int, *const Hsize) -> Herr;
    H5Pget_chunk(Hid, c_int, *mut Hsize) -> c_int;
    H5Pset_shuffle(Hid) -> Herr;
    H5Pset_deflate(Hid, c_uint) -> Herr;
    H5Pset_fletcher32(Hid) -> Herr;
    H5Pset_fill_time(Hid, c_int) -> Herr;
    H5Pget_layout(Hid) -> c_int;
    H5Pget_external_count(Hid) -> c_int;
    H5Zfilter_avail(c_int) -> Htri;
}
