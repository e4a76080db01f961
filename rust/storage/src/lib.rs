//! Tensors in HDF5 files.
//!
//! Nothing links HDF5: the library is loaded at run time, from the path that the host names (so that the process has
//! one) or from where systems keep it ([`load`]). A new file is written beside the old one and takes its place when it
//! is complete and on the disk ([`File::commit`]), so that an interrupted save leaves the old file whole.
//!
//! ```no_run
//! use tensoroxide_storage::{load, File, Mode, Options, Source};
//! use tensoroxide_tensor::Tensor;
//! load(None)?;
//! let psi = Tensor::from_fn(&[2, 3], |i| (i[0] + i[1]) as f64)?;
//! let file = File::open("state.h5".as_ref(), Mode::Create)?;
//! file.write("chain/site 1".into(), &Source::new(&psi.view(), false), &Options::default())?;
//! file.commit(true)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//! HDF5 is called on the caller's thread and by one thread at a time: every public function holds a lock of the
//! process. A host that calls the same library by other ways has a lock of its own, and holds that around these
//! functions, too.
#![allow(unsafe_code)] // HDF5 is a C library, and tensors are read and written where they lie

mod element;
mod error;
mod file;
mod functions;
mod item;
mod library;
mod memory;
mod pieces;
mod replacement;
mod session;
mod types;
mod work;

pub use element::{Element, Stored};
pub use error::Error;
pub use file::{File, Mode};
pub use item::{Item, Kind, Options, Place};
pub use library::{load, loaded, Description};
pub use memory::{Source, Target};
