# The HDF5 library that the engine uses: that of HDF5.jl where that package is loaded, or the one that the user names,
# or the system's. Loaded when the first file is opened, for the rest of the process.

"""
The lock that a task holds while the engine is inside HDF5: HDF5.jl's own where the engine uses its library, since HDF5
is for one thread at a time.
"""
const HDF5_LOCK = Ref(ReentrantLock())

"Where HDF5.jl has its library, and its lock; empty without it."
const HDF5_LENT = Ref{Tuple{String,ReentrantLock}}(("", ReentrantLock()))

locked(f) = lock(f, HDF5_LOCK[])

"Have the engine use the library at `path`, whose other users hold `hdf5_lock`: for the extension."
function lend_hdf5(path, hdf5_lock)
    HDF5_LENT[] = (path, hdf5_lock)
    # A library that is in use already stays, with its own lock: the other one has nothing to do with it.
    isempty(hdf5_description()) || return nothing
    HDF5_LOCK[] = hdf5_lock
    return nothing
end

"""
    TensorOxide.load_hdf5(path = nothing)

Load the HDF5 library at `path` for the functions that read and write files, and return its version and path. Without a
path: that of HDF5.jl if the package is loaded, so that there is only one; else the one that the environment variable
`TENSOROXIDE_HDF5` names; else the system's. All versions from 1.10 to 2.x will do.

Opening a file does this by itself. A library stays for the life of the process; an `ErrorException` says so when
another one was loaded before, and when there is none.
"""
function load_hdf5(path::Union{Nothing,AbstractString} = nothing)
    wanted = something(path, first(HDF5_LENT[]), "")
    if path === nothing && isempty(wanted)
        wanted = get(ENV, "TENSOROXIDE_HDF5", "")
    end
    locked() do
        path === nothing && !isempty(hdf5_description()) || hdf5_load(isempty(wanted) ? C_NULL : wanted)
    end
    return hdf5_description()
end
